// Adds the webhooks and messages that follow from a change, in its transaction.
import { deliveryId } from '../../domain/temporal/workflow-ids';
import type { DeliveryKind } from '../../domain/outbound/webhook-events';
import type { WebhookEventName } from '../../domain/outbound/webhook-events';
import type { OrderEventName, RefundEventName } from '../../domain/outbound/webhook-events';
import type { DatabaseContext, Tx } from '../core/context';
import type { LockedOrder } from '../core/lock-order';

/** How each event is delivered: all go to the shop, and the payment also to the user. */
const KINDS_OF_EVENT: Readonly<Record<OrderEventName, readonly DeliveryKind[]>> = {
  'order.paid': ['webhook', 'message'],
  'order.fulfilled': ['webhook'],
  'order.closed': ['webhook'],
  'order.paid_late': ['webhook'],
};

/**
 * Adds the deliveries of an order's event in the transaction of the change (P7). Each attempt sends
 * the same payload; it has no personal data.
 */
export async function addDeliveries(
  { webhooks }: Pick<DatabaseContext, 'webhooks'>,
  tx: Tx,
  order: LockedOrder,
  delivery: { event: OrderEventName; status: string; transactionId: string | null; now: Date },
): Promise<void> {
  const { event, status, transactionId, now } = delivery;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: {
      out_trade_no: order.outTradeNo,
      shop_order_no: order.shopOrderNo,
      user_id: order.userId,
      channel: order.channel,
      status,
      amount: {
        total: order.totalFen,
        currency: order.currency,
        refunded: order.refundedFen,
      },
      transaction_id: transactionId,
      metadata: order.metadata,
    },
  };
  const kinds = KINDS_OF_EVENT[event].filter((kind) => kind !== 'webhook' || webhooks);
  const id = deliveryId(order.outTradeNo, event);
  await insert(tx, { id, kinds, outTradeNo: order.outTradeNo, event, payload, now });
}

/** The facts of a refund that its webhook delivers. */
interface DeliveredRefund {
  readonly event: RefundEventName;
  readonly outRefundNo: string;
  readonly transactionId: string;
  readonly amountFen: number;
  readonly now: Date;
}

/** Adds the webhook that tells the shop how a refund ended, or that it needs a person. */
export async function addRefundDelivery(
  { webhooks }: Pick<DatabaseContext, 'webhooks'>,
  tx: Tx,
  order: LockedOrder,
  { event, outRefundNo, transactionId, amountFen, now }: DeliveredRefund,
): Promise<void> {
  if (!webhooks) return;
  const { outTradeNo } = order;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: {
      out_trade_no: outTradeNo,
      out_refund_no: outRefundNo,
      shop_order_no: order.shopOrderNo,
      transaction_id: transactionId,
      refund_amount: amountFen,
      status: order.status,
      amount: {
        total: order.totalFen,
        currency: order.currency,
        refunded: order.refundedFen,
      },
      metadata: order.metadata,
    },
  };
  const id = deliveryId(outTradeNo, event, outRefundNo);
  await insert(tx, { id, kinds: ['webhook'], outTradeNo, event, payload, now });
}

/** Adds the webhook with the result of a sharing for each receiver, without account and name. */
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
  const { outTradeNo } = order;
  const { outOrderNo, receivers, now } = sharing;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: {
      out_trade_no: outTradeNo,
      out_order_no: outOrderNo,
      shop_order_no: order.shopOrderNo,
      transaction_id: order.appliedTransactionId,
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

/** Adds the webhook with the result of a day's reconciliation; each run of the day has its own. */
export async function addReconciliationDelivery(
  { webhooks }: Pick<DatabaseContext, 'webhooks'>,
  tx: Tx,
  reconciliation: {
    readonly billDate: string;
    readonly run: number;
    readonly differences: Readonly<Record<string, number>>;
    readonly now: Date;
  },
): Promise<void> {
  if (!webhooks) return;
  const event = 'reconciliation.done';
  const { billDate, run, differences, now } = reconciliation;
  const payload = {
    type: event,
    timestamp: now.toISOString(),
    data: { bill_date: billDate, status: 'done', differences },
  };
  const id = deliveryId(billDate, event, String(run));
  await insert(tx, { id, kinds: ['webhook'], outTradeNo: null, event, payload, now });
}

async function insert(
  tx: Tx,
  delivery: {
    id: string;
    kinds: readonly DeliveryKind[];
    outTradeNo: string | null;
    event: WebhookEventName;
    payload: object;
    now: Date;
  },
): Promise<void> {
  const { id, kinds, outTradeNo, event, payload, now } = delivery;
  if (kinds.length === 0) return;
  await tx.$executeRaw`
    INSERT INTO deliveries (id, kind, out_trade_no, event, payload, next_attempt_at, created_at)
    SELECT ${id}, kind, ${outTradeNo}, ${event}, ${JSON.stringify(payload)}::jsonb, ${now}, ${now}
    FROM unnest(${[...kinds]}::text[]) AS kind
    ON CONFLICT (id, kind) DO NOTHING`;
}
