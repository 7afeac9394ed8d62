// Proposes a resolution that came as a signal from Temporal's Web UI.
import { v7 as uuidv7 } from 'uuid';
import { actionsFor, type InterventionAction } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext } from '../core/context';
import { openScope } from '../core/scope';
import { auditResolution, hashOf } from './resolution-records';

/** Temporal's Web UI does not say who sent a signal. */
const WEB_UI: Actor = { name: 'temporal-web-ui', role: 'none' };

/**
 * Proposes what an operator sent as a signal in Temporal's Web UI; an API key has to approve it.
 * @returns false when the intervention is not open, lacks the action, or has a pending resolution
 */
export async function proposeBySignal(
  { prisma, hash }: DatabaseContext,
  outTradeNo: string,
  given: { interventionId: string; action: InterventionAction; note: string },
  nowMs: number,
): Promise<boolean> {
  const now = new Date(nowMs);
  const { interventionId, action, note } = given;
  return prisma.$transaction(async (tx) => {
    await openScope(tx, outTradeNo, now);
    const intervention = await tx.intervention.findFirst({
      where: { id: interventionId, outTradeNo, status: 'open' },
      select: { id: true, outTradeNo: true, reason: true, subject: true },
    });
    if (!intervention) return false;
    if (!actionsFor(intervention.reason, intervention.subject).includes(action)) return false;
    const id = uuidv7();
    const { count } = await tx.interventionResolution.createMany({
      data: [
        {
          id,
          interventionId,
          outTradeNo,
          action,
          paramsHash: hashOf(hash, {}),
          note,
          status: 'proposed',
          proposedAt: now,
        },
      ],
      // An intervention has one pending resolution: the earlier one stays.
      skipDuplicates: true,
    });
    if (count === 1) {
      await auditResolution(tx, WEB_UI, 'proposed', { intervention, id, action, note });
    }
    return count === 1;
  });
}
