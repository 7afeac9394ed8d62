import { v7 as uuidv7 } from 'uuid';
import type { InterventionAction, InterventionReason } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext } from '../core/context';

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
  /** Open questions that fit. */
  readonly count: number;
  /** Of these, answered by this call. */
  readonly answered: number;
  /** Of these, with an answer under way already. */
  readonly underWay: number;
}

/** Answered by one call; for more, it is made again. */
const MAX_AT_ONCE = 1_000;

/**
 * Answers many questions of one reason at once, each with a row and an entry in the audit log of its
 * own. Money is never moved this way. The sweep tells the runs, so a thousand don't wake at once.
 */
export async function resolveMany(
  { prisma, hash }: DatabaseContext,
  request: ManyRequest,
): Promise<ManyResolved> {
  const { reason, action, note, dryRun, actor, nowMs } = request;
  const now = new Date(nowMs);
  const since = request.since ?? new Date(0);
  return prisma.$transaction(async (tx) => {
    const [counted] = await tx.$queryRaw<{ count: number; under_way: number }[]>`
      SELECT count(*)::int AS count, (count(*) FILTER (WHERE EXISTS (
          SELECT 1 FROM intervention_resolutions r WHERE r.intervention_id = i.id
            AND r.status IN ('proposed', 'approved'))))::int AS under_way
      FROM interventions i WHERE i.status = 'open' AND i.reason = ${reason} AND i.since >= ${since}`;
    const { count = 0, under_way: underWay = 0 } = counted ?? {};
    if (dryRun) return { count, answered: 0, underWay };
    const open = await tx.$queryRaw<{ id: string; no: string; subject: string }[]>`
      SELECT i.id::text, i.out_trade_no AS no, i.subject FROM interventions i
      WHERE i.status = 'open' AND i.reason = ${reason} AND i.since >= ${since}
        AND NOT EXISTS (SELECT 1 FROM intervention_resolutions r WHERE r.intervention_id = i.id
          AND r.status IN ('proposed', 'approved'))
      ORDER BY i.since, i.id LIMIT ${MAX_AT_ONCE} FOR NO KEY UPDATE SKIP LOCKED`;
    const rows = open.map(({ id, no, subject }) => ({ id: uuidv7(), question: id, no, subject }));
    const { count: answered } = await tx.interventionResolution.createMany({
      data: rows.map(({ id, question, no }) => ({
        id,
        interventionId: question,
        outTradeNo: no,
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
      // One answer at a time: who was faster stays.
      skipDuplicates: true,
    });
    await tx.auditEntry.createMany({
      data: rows.map(({ id, question, no, subject }) => ({
        actor: actor.name,
        role: actor.role,
        action: 'intervention.approved',
        subject: no,
        details: {
          intervention_id: question,
          resolution_id: id,
          reason,
          subject,
          action,
          note,
          at_once: rows.length,
        },
      })),
    });
    return { count, answered, underWay };
  });
}
