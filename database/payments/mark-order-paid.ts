// Marks an order as paid, and writes what follows: effects, sharing's deadline, deliveries (P7).
import { effectsFor } from '../../domain/fulfilment/effects';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { changeStatus } from '../core/change-order-status';
import type { LockedOrder } from '../core/lock-order';
import type { Scope } from '../core/scope';
import { endInterventions } from '../interventions/open-intervention';
import { addDeliveries } from '../outbound/add-deliveries';
import { addUnfreezeAtDeadline } from '../sharing/unfreeze-rest';

/**
 * Moves an order to `paid` or `paid_late`. Only `paid` sets effects to work.
 * @throws when its status doesn't allow the move; the transaction is rolled back
 */
export async function markOrderPaid(
  context: DatabaseContext,
  scope: Scope,
  order: LockedOrder,
  step: {
    readonly to: 'paid' | 'paid_late';
    /** For the order's history. */
    readonly cause: string;
    readonly transactionId: string | null;
    /** `paid` when left out. */
    readonly event?: 'paid' | 'late_payment_accepted';
  },
): Promise<void> {
  const { tx, outTradeNo, now } = scope;
  const { to, cause, transactionId } = step;
  const change = await changeStatus(tx, order, {
    event: step.event ?? 'paid',
    cause,
    now,
    dueAt: new Date(now.getTime() + SETTLE_GRACE_MS),
  });
  if (change.kind !== 'moved' || change.to !== to) {
    throw new Error(`Order ${outTradeNo} can't become ${to} from ${order.status}`);
  }
  scope.changed = true;
  if (order.hasOpenIntervention)
    await endInterventions(tx, { outTradeNo, reasons: ['wechat_failed'], now });
  if (to === 'paid') {
    await addEffects(tx, outTradeNo);
    await addUnfreezeAtDeadline(context, tx, order, now);
  }
  const event = to === 'paid' ? 'order.paid' : 'order.paid_late';
  await addDeliveries(context, tx, order, { event, status: to, transactionId, now });
}

/** Adds one row for each effect that applies to the order. */
async function addEffects(tx: Tx, outTradeNo: string): Promise<void> {
  const [facts] = await tx.$queryRaw<{ reserved: boolean; pooled: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM stock_reservations WHERE out_trade_no = ${outTradeNo}) AS reserved,
      EXISTS (SELECT 1 FROM order_items
        WHERE out_trade_no = ${outTradeNo} AND pooled) AS pooled`;
  const effects = effectsFor({
    hasReservations: facts?.reserved ?? false,
    hasPooledGoods: facts?.pooled ?? false,
  });
  await tx.orderEffect.createMany({
    data: effects.map((effect) => ({ outTradeNo, effect })),
    skipDuplicates: true,
  });
}
