import type { CloseCause } from '../../domain/orders/run-view';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { addDeliveries } from '../outbound/write-deliveries';
import { endInterventions } from '../interventions/open-intervention';
import { releaseStock } from '../fulfilment/stock-reservations';
import { changeStatus, type LockedOrder } from '../core/order-row';

/** Closes a locked order: status, history, stock and what the shop is told, together. */
export async function closeLocked(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  cause: CloseCause | 'mismatch_refunded',
  now: Date,
): Promise<void> {
  const outTradeNo = order.out_trade_no;
  const change = await changeStatus(tx, {
    outTradeNo,
    status: order.status,
    event: 'closed',
    cause,
    now,
    dueAt: new Date(now.getTime() + SETTLE_GRACE_MS),
  });
  if (change.kind !== 'moved') return;
  await endInterventions(tx, { outTradeNo, reasons: ['wechat_failed'], now });
  await releaseStock(tx, outTradeNo);
  const told = { event: 'order.closed', status: 'closed', transactionId: null, now } as const;
  await addDeliveries(context, tx, order, told);
}
