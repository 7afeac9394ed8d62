import { v7 as uuidv7 } from 'uuid';
import { actionsFor, type InterventionAction } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext } from '../core/context';
import { openScope } from '../core/scope';
import { auditResolution, hashOf } from './resolution-records';

/** Whoever may send a signal there; nobody knows who it was. */
const WEB_UI: Actor = { name: 'temporal-web-ui', role: 'none' };

/**
 * A signal sent by hand in Temporal's Web UI: it only proposes, and a key has to approve it.
 * @returns false when there is nothing like that to propose
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
    const question = await tx.intervention.findFirst({
      where: { id: interventionId, outTradeNo, status: 'open' },
      select: { id: true, outTradeNo: true, reason: true, subject: true },
    });
    if (!question || !actionsFor(question.reason, question.subject).includes(action)) return false;
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
      // One answer at a time: what is there already stays.
      skipDuplicates: true,
    });
    if (count === 1) await auditResolution(tx, WEB_UI, 'proposed', question, { id, action, note });
    return count === 1;
  });
}
