// Records each patrol with its report.
import { z } from 'zod';
import {
  PATROL_KIND_NAMES,
  PATROL_SECTIONS,
  type PatrolFinding,
  type PatrolPosition,
  type PatrolReport,
  type PatrolStart,
} from '../../domain/patrol/findings';
import type { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';

/** A patrol as the API shows it. */
export interface PatrolRunView {
  readonly id: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly status: 'running' | 'done' | 'failed';
  readonly findings: readonly PatrolFinding[];
  readonly failedSections: readonly string[];
}

/** Which page of the reports to read. */
export interface PatrolRunPage {
  /** The last row of the page before. */
  readonly after: { readonly startedAt: Date; readonly id: string } | null;
  readonly limit: number;
}

/**
 * A patrol that is `running` after this time has died: Temporal ends its run earlier, see
 * domain/temporal/patrol-schedule.
 */
const MAX_RUN_MS = 20 * 60_000;
/** A patrol also checks changes from this long before the last one, which may have missed them. */
const OVERLAP_MS = 10 * 60_000;
/** The first patrol checks changes of this time; the slow pass checks the rest. */
const FIRST_LOOK_MS = 24 * 3_600_000;

/** A stored report; it is empty until the patrol ends. */
const STORED_REPORT = z.object({
  findings: z
    .array(
      z.object({
        kind: z.enum(PATROL_KIND_NAMES),
        found: z.number(),
        healed: z.number(),
        opened: z.number(),
        left: z.number(),
        sample: z.array(z.string()),
      }),
    )
    .default([]),
  failedSections: z.array(z.enum(PATROL_SECTIONS)).default([]),
});

/** One row per patrol. It is written at the start, so that a killed patrol is visible too. */
export function createPatrolRuns({ prisma }: DatabaseContext) {
  return {
    /** Writes the patrol's row. A repeated call with the same id changes nothing. */
    async begin(id: string, nowMs: number): Promise<PatrolStart> {
      const now = new Date(nowMs);
      await prisma.$executeRaw`
        UPDATE patrol_runs SET status = 'failed'
        WHERE status = 'running' AND started_at < ${new Date(nowMs - MAX_RUN_MS)}`;
      await prisma.$executeRaw`
        INSERT INTO patrol_runs (id, started_at, findings) VALUES (${id}::uuid, ${now}, '{}')
        ON CONFLICT (id) DO NOTHING`;
      const [last] = await prisma.$queryRaw<{ position: PatrolPosition | null }[]>`
        SELECT findings->'position' AS position FROM patrol_runs
        WHERE jsonb_typeof(findings->'position') = 'object' ORDER BY started_at DESC LIMIT 1`;
      const done = await lastDone(prisma);
      return {
        id,
        position: last?.position ?? null,
        sinceMs: done ? done.startedAt.getTime() - OVERLAP_MS : nowMs - FIRST_LOOK_MS,
      };
    },

    /** Writes the report. The patrol is `failed` when one of its sections failed. */
    async finish(id: string, report: PatrolReport, nowMs: number): Promise<void> {
      const status = report.failedSections.length === 0 ? 'done' : 'failed';
      await prisma.$executeRaw`
        UPDATE patrol_runs SET status = ${status}, finished_at = ${new Date(nowMs)},
          findings = ${JSON.stringify(report)}::jsonb
        WHERE id = ${id}::uuid AND finished_at IS NULL`;
    },

    /** Lists patrols, newest first. */
    async list({ after, limit }: PatrolRunPage): Promise<PatrolRunView[]> {
      const rows = await prisma.patrolRun.findMany({
        ...(after && {
          where: {
            OR: [
              { startedAt: { lt: after.startedAt } },
              { startedAt: after.startedAt, id: { lt: after.id } },
            ],
          },
        }),
        select: { id: true, startedAt: true, finishedAt: true, status: true, findings: true },
        orderBy: [{ startedAt: 'desc' }, { id: 'desc' }],
        take: limit,
      });
      return rows.map(({ findings, status, ...row }) => ({
        ...row,
        status: status as PatrolRunView['status'],
        ...STORED_REPORT.parse(findings),
      }));
    },

    /** When a patrol last finished all of its sections; null when none has. */
    async lastFinishedAt(): Promise<Date | null> {
      return (await lastDone(prisma))?.finishedAt ?? null;
    },
  };
}

async function lastDone(
  prisma: Pick<Prisma.TransactionClient, '$queryRaw'>,
): Promise<{ startedAt: Date; finishedAt: Date } | undefined> {
  const [row] = await prisma.$queryRaw<{ startedAt: Date; finishedAt: Date }[]>`
    SELECT started_at AS "startedAt", finished_at AS "finishedAt" FROM patrol_runs
    WHERE status = 'done' ORDER BY started_at DESC LIMIT 1`;
  return row;
}
