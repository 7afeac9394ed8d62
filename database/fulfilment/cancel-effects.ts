import { Prisma } from '../../generated/prisma/client';
import type { InterventionReason } from '../../domain/interventions/reasons';
import { DATABASE_EFFECTS } from '../../domain/fulfilment/effects';
import type { Tx } from '../core/context';
import { endInterventions } from '../interventions/open-intervention';

/** Questions about effects: moot once the whole payment goes back. */
const EFFECT_REASONS: readonly InterventionReason[] = ['effect_failed', 'no_stock', 'no_codes'];

/** The last failure of an effect is no matter any more. */
export const NO_FAILURE = { errorCode: null, evidence: Prisma.DbNull } as const;

const FORWARD = [...DATABASE_EFFECTS] as string[];

/** The whole payment is held for refunds: effects not yet done will not be. */
export async function cancelEffects(tx: Tx, outTradeNo: string, now: Date): Promise<void> {
  await tx.orderEffect.updateMany({
    where: { outTradeNo, effect: { in: FORWARD }, status: { in: ['pending', 'failed'] } },
    data: { status: 'cancelled', spent: false, ...NO_FAILURE },
  });
  await endInterventions(tx, { outTradeNo, reasons: EFFECT_REASONS, subjects: FORWARD, now });
}

/** A hold was freed, so some of the payment stays: the effects are to be done after all. */
export async function restoreEffects(tx: Tx, outTradeNo: string, now: Date): Promise<void> {
  const { count } = await tx.orderEffect.updateMany({
    where: { outTradeNo, effect: { in: FORWARD }, status: 'cancelled' },
    data: { status: 'pending', attempts: 0 },
  });
  if (count > 0) await tx.order.updateMany({ where: { outTradeNo }, data: { dueAt: now } });
}
