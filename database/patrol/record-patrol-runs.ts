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

export interface PatrolRunView {
  readonly id: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly status: 'running' | 'done' | 'failed';
  readonly findings: readonly PatrolFinding[];
  readonly failedSections: readonly string[];
}

export interface PatrolRunPage {
  /** The last row of the page before. */
  readonly after: { readonly startedAt: Date; readonly id: string } | null;
  readonly limit: number;
}

/** Longer than any patrol is let run (workers/patrol-schedule): what still says running has died. */
const MAX_RUN_MS = 20 * 60_000;
/** Changes are looked at again from this long before the last patrol, which may have just missed them. */
const OVERLAP_MS = 10 * 60_000;
/** The first patrol looks this far back; the slow pass sees the rest. */
const FIRST_LOOK_MS = 24 * 3_600_000;

/** A report as it stands in its row; empty until the patrol is through. */
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

/** The reports: one row per patrol, written first and filled at its end, so that a killed one shows. */
export function createPatrolRuns({ prisma }: DatabaseContext) {
  return {
    /** Writes the report's row. The same id twice is one patrol. */
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

    /** Fills the report. It is `failed` when a section is. */
    async finish(id: string, report: PatrolReport, nowMs: number): Promise<void> {
      const status = report.failedSections.length === 0 ? 'done' : 'failed';
      await prisma.$executeRaw`
        UPDATE patrol_runs SET status = ${status}, finished_at = ${new Date(nowMs)},
          findings = ${JSON.stringify(report)}::jsonb
        WHERE id = ${id}::uuid AND finished_at IS NULL`;
    },

    /** Newest first. */
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

    /** When a patrol last got through all of its sections; null when none ever did. */
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
