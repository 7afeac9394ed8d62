// Cancels the effects of a payment that is refunded as a whole, and restores them.
import { Prisma } from '../../generated/prisma/client';
import { EFFECT_REASONS } from '../../domain/interventions/reasons';
import { DATABASE_EFFECTS } from '../../domain/fulfilment/effects';
import type { Tx } from '../core/context';
import { endInterventions } from '../interventions/open-intervention';

/** Clears the last failure of an effect. */
export const NO_FAILURE = { errorCode: null, evidence: Prisma.DbNull } as const;

const FORWARD = [...DATABASE_EFFECTS] as string[];

/** Cancels the unfinished effects: the whole payment is held for refunds. */
export async function cancelEffects(tx: Tx, outTradeNo: string, now: Date): Promise<void> {
  await tx.orderEffect.updateMany({
    where: { outTradeNo, effect: { in: FORWARD }, status: { in: ['pending', 'failed'] } },
    data: { status: 'cancelled', spent: false, ...NO_FAILURE },
  });
  await endInterventions(tx, { outTradeNo, reasons: EFFECT_REASONS, subjects: FORWARD, now });
}

/** Restores cancelled effects: a hold was freed, so a part of the payment stays with the shop. */
export async function restoreEffects(tx: Tx, outTradeNo: string, now: Date): Promise<void> {
  const { count } = await tx.orderEffect.updateMany({
    where: { outTradeNo, effect: { in: FORWARD }, status: 'cancelled' },
    data: { status: 'pending', attempts: 0 },
  });
  if (count > 0) await tx.order.updateMany({ where: { outTradeNo }, data: { dueAt: now } });
}
