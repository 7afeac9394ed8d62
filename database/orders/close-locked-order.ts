// Closes a locked order in the transaction of its caller.
import type { CloseCause } from '../../domain/orders/run-view';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { addDeliveries } from '../outbound/add-deliveries';
import { endInterventions } from '../interventions/open-intervention';
import { releaseStock } from '../fulfilment/reserve-stock';
import { changeStatus } from '../core/change-order-status';
import type { LockedOrder } from '../core/lock-order';

/** Closes an order: writes its status and history, releases its stock and adds the webhook. */
export async function closeLocked(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  { cause, now }: { readonly cause: CloseCause | 'mismatch_refunded'; readonly now: Date },
): Promise<void> {
  const { outTradeNo } = order;
  const change = await changeStatus(tx, order, {
    event: 'closed',
    cause,
    now,
    dueAt: new Date(now.getTime() + SETTLE_GRACE_MS),
  });
  if (change.kind !== 'moved') return;
  await endInterventions(tx, { outTradeNo, reasons: ['wechat_failed'], now });
  await releaseStock(tx, order);
  const delivery = { event: 'order.closed', status: 'closed', transactionId: null, now } as const;
  await addDeliveries(context, tx, order, delivery);
}
