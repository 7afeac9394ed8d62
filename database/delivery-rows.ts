import { deliveryId } from '../domain/workflow-ids';
import type { DeliveryKind, OrderEventName } from '../domain/effects';
import type { DatabaseContext, Transaction } from './context';
import type { LockedOrder } from './status-change';

/** What each event is told by: the shop hears of all, the user of the payment. */
const TOLD_BY: Readonly<Record<OrderEventName, readonly DeliveryKind[]>> = {
  'order.paid': ['webhook', 'message'],
  'order.fulfilled': ['webhook'],
  'order.closed': ['webhook'],
  'order.paid_late': ['webhook'],
};

/**
 * Commits what must be told with the change that it tells of (P7). The payload is what the receiver
 * gets at every attempt; it carries no personal data.
 */
export async function addDeliveries(
  { webhooks }: Pick<DatabaseContext, 'webhooks'>,
  tx: Transaction,
  order: LockedOrder,
  told: { event: OrderEventName; status: string; transactionId: string | null; now: Date },
): Promise<void> {
  const { event, status, transactionId, now } = told;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: {
      out_trade_no: order.out_trade_no,
      shop_order_no: order.shop_order_no,
      user_id: order.user_id,
      channel: order.channel,
      status,
      amount: {
        total: order.total_fen,
        currency: order.currency,
        refunded: order.refunded_fen,
      },
      transaction_id: transactionId,
      metadata: order.metadata,
    },
  };
  const kinds = TOLD_BY[event].filter((kind) => kind !== 'webhook' || webhooks);
  if (kinds.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO deliveries (id, kind, out_trade_no, event, payload, next_attempt_at, created_at)
    SELECT ${deliveryId(order.out_trade_no, event)}, kind, ${order.out_trade_no}, ${event},
      ${JSON.stringify(payload)}::jsonb, ${now}, ${now}
    FROM unnest(${kinds}::text[]) AS kind
    ON CONFLICT (id, kind) DO NOTHING`;
}
