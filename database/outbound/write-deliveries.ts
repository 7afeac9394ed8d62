import { deliveryId } from '../../domain/temporal/workflow-ids';
import type {
  DeliveryKind,
  OrderEventName,
  WebhookEventName,
} from '../../domain/fulfilment/effects';
import type { DatabaseContext, Tx } from '../core/context';
import type { LockedOrder } from '../core/order-row';

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
  tx: Tx,
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
  const id = deliveryId(order.out_trade_no, event);
  await insert(tx, { id, kinds, outTradeNo: order.out_trade_no, event, payload, now });
}

/** What a webhook says of a refund. */
interface DeliveredRefund {
  readonly outRefundNo: string;
  readonly transactionId: string;
  readonly amountFen: number;
}

/** The shop hears that a refund's money is back with the payer. */
export async function addRefundDelivery(
  { webhooks }: Pick<DatabaseContext, 'webhooks'>,
  tx: Tx,
  order: LockedOrder,
  refund: DeliveredRefund,
  now: Date,
): Promise<void> {
  if (!webhooks) return;
  const event = 'refund.succeeded';
  const { out_trade_no: outTradeNo } = order;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: {
      out_trade_no: outTradeNo,
      out_refund_no: refund.outRefundNo,
      shop_order_no: order.shop_order_no,
      transaction_id: refund.transactionId,
      refund_amount: refund.amountFen,
      status: order.status,
      amount: {
        total: order.total_fen,
        currency: order.currency,
        refunded: order.refunded_fen,
      },
      metadata: order.metadata,
    },
  };
  const id = deliveryId(outTradeNo, event, refund.outRefundNo);
  await insert(tx, { id, kinds: ['webhook'], outTradeNo, event, payload, now });
}

/** The shop hears what became of a sharing, receiver by receiver; no account, no name. */
export async function addSharingDelivery(
  { webhooks }: Pick<DatabaseContext, 'webhooks'>,
  tx: Tx,
  order: LockedOrder,
  sharing: {
    readonly outOrderNo: string;
    readonly receivers: readonly {
      readonly line: number;
      readonly type: string;
      readonly amountFen: number;
      readonly result: string;
      readonly failReason: string | null;
    }[];
    readonly now: Date;
  },
): Promise<void> {
  if (!webhooks) return;
  const event = 'profit_sharing.finished';
  const { out_trade_no: outTradeNo } = order;
  const { outOrderNo, receivers, now } = sharing;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: {
      out_trade_no: outTradeNo,
      out_order_no: outOrderNo,
      shop_order_no: order.shop_order_no,
      transaction_id: order.applied_transaction_id,
      receivers: receivers.map(({ line, type, amountFen, result, failReason }) => ({
        line,
        type,
        amount: amountFen,
        result,
        fail_reason: failReason,
      })),
      status: order.status,
      metadata: order.metadata,
    },
  };
  const id = deliveryId(outTradeNo, event, outOrderNo);
  await insert(tx, { id, kinds: ['webhook'], outTradeNo, event, payload, now });
}

async function insert(
  tx: Tx,
  told: {
    id: string;
    kinds: readonly DeliveryKind[];
    outTradeNo: string;
    event: WebhookEventName;
    payload: object;
    now: Date;
  },
): Promise<void> {
  const { id, kinds, outTradeNo, event, payload, now } = told;
  if (kinds.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO deliveries (id, kind, out_trade_no, event, payload, next_attempt_at, created_at)
    SELECT ${id}, kind, ${outTradeNo}, ${event}, ${JSON.stringify(payload)}::jsonb, ${now}, ${now}
    FROM unnest(${[...kinds]}::text[]) AS kind
    ON CONFLICT (id, kind) DO NOTHING`;
}
