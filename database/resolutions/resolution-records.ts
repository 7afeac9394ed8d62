// Hashes a resolution's params, writes its entries of the audit log, and withdraws a proposed one.
import { audit } from '../core/write-audit';
import { PROPOSAL_LIFE_MS } from '../../domain/proposals/limits';
import { personOf } from '../../domain/proposals/person';
import type { InterventionAction } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { FIRST_SWEEP_MS } from '../core/due-times';
import type { Withdrawal } from '../proposals/list-proposals';
import type { Params } from './resolution-scope';

/** Hashes params with a key, so that no bank card can be guessed; their order doesn't matter. */
export function hashOf(hash: DatabaseContext['hash'], params: Params): string {
  const sorted = Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash.hex('body', JSON.stringify(sorted));
}

/** The columns of a resolution that is approved now; the sweep wakes its run if nobody else did. */
export const approval = (actor: Actor, now: Date) => ({
  approvedBy: actor.name,
  approvedAt: now,
  nextAttemptAt: new Date(now.getTime() + FIRST_SWEEP_MS),
});

/** Writes into the audit log who proposed, approved or withdrew a resolution, and why. */
export function auditResolution(
  tx: Tx,
  actor: Actor,
  what: 'proposed' | 'approved' | 'withdrawn',
  resolution: {
    readonly id: string;
    readonly action: string;
    readonly note: string;
    readonly intervention: {
      readonly id: string;
      /** null where it is about a bill. */
      readonly outTradeNo: string | null;
      readonly reason: string;
      readonly subject: string;
    };
  },
): Promise<void> {
  const { intervention } = resolution;
  return audit(tx, actor, {
    action: `intervention.${what}`,
    subject: intervention.outTradeNo ?? intervention.subject,
    details: {
      intervention_id: intervention.id,
      resolution_id: resolution.id,
      reason: intervention.reason,
      subject: intervention.subject,
      action: resolution.action,
      note: resolution.note,
    },
  });
}

/** A resolution as it was proposed. */
export interface ProposedResolution {
  readonly interventionId: string;
  readonly action: InterventionAction;
  readonly params: Params;
}

/**
 * @returns null when there is none with this id
 * @throws UnreadableValueError when its params can't be decrypted
 */
export async function findProposed(
  { prisma, cipher }: DatabaseContext,
  id: string,
): Promise<ProposedResolution | null> {
  const row = await prisma.interventionResolution.findUnique({
    where: { id },
    select: { interventionId: true, action: true, paramsEncrypted: true },
  });
  if (!row) return null;
  const { interventionId, action, paramsEncrypted } = row;
  const place = { table: 'intervention_resolutions', column: 'params', row: id };
  const params = paramsEncrypted === null ? '{}' : cipher.decrypt(place, paramsEncrypted);
  return {
    interventionId,
    action: action as InterventionAction,
    params: JSON.parse(params) as Params,
  };
}

/** Withdraws a proposed resolution: the person who proposed it may, and an admin. */
export function withdrawResolution(
  { prisma }: DatabaseContext,
  id: string,
  actor: Actor,
  now: Date,
): Promise<Withdrawal> {
  return prisma.$transaction(async (tx): Promise<Withdrawal> => {
    await tx.$executeRaw`
      SELECT 1 FROM intervention_resolutions WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
    const row = await tx.interventionResolution.findUnique({
      where: { id },
      select: {
        status: true,
        action: true,
        note: true,
        proposedBy: true,
        proposedPerson: true,
        proposedAt: true,
        intervention: {
          select: { id: true, outTradeNo: true, reason: true, subject: true, status: true },
        },
      },
    });
    if (!row) return { kind: 'not_found' };
    const { action, note, intervention, proposedBy, proposedPerson } = row;
    const person = proposedPerson ?? (proposedBy === null ? null : personOf({ name: proposedBy }));
    if (person !== personOf(actor) && actor.role !== 'admin') return { kind: 'not_yours' };
    const isOver = row.proposedAt.getTime() + PROPOSAL_LIFE_MS <= now.getTime();
    if (row.status !== 'proposed' || intervention.status !== 'open' || isOver) {
      return { kind: 'refused', code: 'PROPOSAL_ENDED' };
    }
    await tx.interventionResolution.updateMany({
      where: { id, status: 'proposed' },
      data: { status: 'withdrawn', finishedAt: now },
    });
    await auditResolution(tx, actor, 'withdrawn', { id, action, note, intervention });
    return { kind: 'withdrawn' };
  });
}
