// Resolves all open interventions of a reason at once.
import { v7 as uuidv7 } from 'uuid';
import type { InterventionAction, InterventionReason } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext, Tx } from '../core/context';

export interface ManyRequest {
  readonly reason: InterventionReason;
  /** Opened then or later; null for all. */
  readonly since: Date | null;
  readonly action: InterventionAction;
  readonly note: string;
  readonly dryRun: boolean;
  readonly actor: Actor;
  readonly nowMs: number;
}

export interface ManyResolved {
  /** Open interventions that fit. */
  readonly count: number;
  /** Of these, resolved by this call. */
  readonly resolved: number;
  /** Of these, with a pending resolution already. */
  readonly pending: number;
}

/** Resolved by one call; the operator repeats it for more. */
const MAX_AT_ONCE = 1_000;

/**
 * Resolves all open interventions of a reason, each with a row and an audit entry of its own. The
 * api allows no action that moves money. The sweep wakes the runs, so not a thousand wake at once.
 */
export async function resolveMany(
  { prisma, hash, limitRows }: DatabaseContext,
  request: ManyRequest,
): Promise<ManyResolved> {
  const { reason, action, note, dryRun, actor, nowMs } = request;
  const now = new Date(nowMs);
  const since = request.since ?? new Date(0);
  const resolve = async (tx: Tx): Promise<ManyResolved> => {
    const [counted] = await tx.$queryRaw<{ count: number; pending: number }[]>`
      SELECT count(*)::int AS count, (count(*) FILTER (WHERE EXISTS (
          SELECT 1 FROM intervention_resolutions r WHERE r.intervention_id = i.id
            AND r.status IN ('proposed', 'approved'))))::int AS pending
      FROM interventions i
      WHERE i.status = 'open' AND i.reason = ${reason} AND i.since >= ${since}`;
    const { count = 0, pending = 0 } = counted ?? {};
    if (dryRun) return { count, resolved: 0, pending };
    const open = await tx.$queryRaw<
      { interventionId: string; outTradeNo: string; subject: string }[]
    >`
      SELECT i.id::text AS "interventionId", coalesce(i.out_trade_no, i.subject) AS "outTradeNo",
        i.subject
      FROM interventions i
      WHERE i.status = 'open' AND i.reason = ${reason} AND i.since >= ${since}
        AND NOT EXISTS (SELECT 1 FROM intervention_resolutions r WHERE r.intervention_id = i.id
          AND r.status IN ('proposed', 'approved'))
      ORDER BY i.since, i.id LIMIT ${MAX_AT_ONCE}`;
    // No row is locked or skipped: the announcer may hold an intervention that was just opened, and
    // a run refuses the resolution of one that has ended meanwhile.
    const added = await tx.interventionResolution.createManyAndReturn({
      select: { id: true, interventionId: true },
      data: open.map(({ interventionId, outTradeNo }) => ({
        id: uuidv7(),
        interventionId,
        outTradeNo,
        action,
        paramsHash: hash.hex('body', '[]'),
        note,
        status: 'approved',
        proposedBy: actor.name,
        proposedAt: now,
        approvedBy: actor.name,
        approvedAt: now,
        approvedFen: 0,
        nextAttemptAt: now,
      })),
      // An intervention has one pending resolution: one that was committed meanwhile stays.
      skipDuplicates: true,
    });
    const named = new Map(open.map((intervention) => [intervention.interventionId, intervention]));
    await tx.auditEntry.createMany({
      data: added.map(({ id, interventionId }) => ({
        actor: actor.name,
        role: actor.role,
        action: 'intervention.approved',
        subject: named.get(interventionId)?.outTradeNo ?? '',
        details: {
          intervention_id: interventionId,
          resolution_id: id,
          reason,
          subject: named.get(interventionId)?.subject ?? '',
          action,
          note,
          at_once: added.length,
        },
      })),
    });
    return { count, resolved: added.length, pending };
  };
  // Two of them at once would wait for each other's rows.
  return limitRows([`reason:${reason}`], () => prisma.$transaction(resolve));
}
