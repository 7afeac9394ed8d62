// Schemas of the webhooks that Oncepay sends to the shop, for /openapi.json.
import { z } from 'zod';
import { CHANNEL_NAMES } from '../../domain/orders/channels';
import type { RefundEventName, WebhookEventName } from '../../domain/outbound/webhook-events';
import type { OrderStatus } from '../../domain/orders/order-state';
import { DIFFERENCE_TYPE_NAMES } from '../../domain/reconciliation/differences';
import { RECEIVER_RESULTS, RECEIVER_TYPES } from '../../domain/sharing/profit-sharing';
import { fen, json } from '../http/fields';
import { amount, status as orderStatus, time } from '../http/reply-fields';

interface WebhookEvent {
  readonly summary: string;
  readonly payload: z.ZodType;
}

const order = {
  out_trade_no: z.string(),
  shop_order_no: z.string().nullable(),
  metadata: json.nullable().describe('the metadata that the order was created with'),
};
const transactionId = z.string().describe('the number of the payment at WeChat Pay');
const status = orderStatus.describe('the status of the order');

function envelope(event: WebhookEventName, data: z.ZodRawShape) {
  return z.object({
    type: z.literal(event),
    timestamp: time.describe('when the event happened; the same at every attempt'),
    data: z.object(data),
  });
}

function orderEvent(event: WebhookEventName, is: OrderStatus, transaction: z.ZodType) {
  return envelope(event, {
    ...order,
    user_id: z.string(),
    channel: z.enum(CHANNEL_NAMES),
    status: z.literal(is),
    amount,
    transaction_id: transaction,
  });
}

function refundEvent(event: RefundEventName) {
  return envelope(event, {
    ...order,
    out_refund_no: z.string(),
    transaction_id: transactionId.describe('the number at WeChat Pay of the refunded payment'),
    refund_amount: fen,
    status: status.describe('the status of the order after the refund'),
    amount,
  });
}

/**
 * Each event with its summary and payload; the outbound deliveries in the database have this form.
 */
export const WEBHOOK_EVENTS = {
  'order.paid': {
    summary: 'The order is paid; its effects are in progress',
    payload: orderEvent('order.paid', 'paid', transactionId),
  },
  'order.fulfilled': {
    summary: 'Points, sales, stock and codes of the order are done or skipped',
    payload: orderEvent('order.fulfilled', 'fulfilled', transactionId),
  },
  'order.closed': {
    summary: 'The order is closed, also at WeChat Pay',
    payload: orderEvent('order.closed', 'closed', z.null()),
  },
  'order.paid_late': {
    summary: 'The order was paid after its close; the money is refunded, or an operator decides',
    payload: orderEvent('order.paid_late', 'paid_late', transactionId),
  },
  'refund.succeeded': {
    summary: 'A refund succeeded: the payer has the money',
    payload: refundEvent('refund.succeeded'),
  },
  'refund.closed': {
    summary:
      'A refund ended without success: the money stays with the shop, or went back elsewhere',
    payload: refundEvent('refund.closed'),
  },
  'refund.abnormal': {
    summary: "A refund could not reach the payer's account: an operator decides where it goes",
    payload: refundEvent('refund.abnormal'),
  },
  'profit_sharing.finished': {
    summary: 'A profit sharing has ended; `result` says of each receiver whether it was paid',
    payload: envelope('profit_sharing.finished', {
      ...order,
      out_order_no: z.string(),
      transaction_id: transactionId,
      receivers: z.array(
        z.object({
          line: z.int().describe('the place of the receiver in the request, from 1'),
          type: z.enum(RECEIVER_TYPES),
          amount: fen,
          result: z.enum(RECEIVER_RESULTS).exclude(['PENDING']),
          fail_reason: z.string().nullable().describe("WeChat Pay's reason for the result CLOSED"),
        }),
      ),
      status,
    }),
  },
  'reconciliation.done': {
    summary: "A day's bill of WeChat Pay was compared with the orders",
    payload: envelope('reconciliation.done', {
      bill_date: z.string().describe('the day in Beijing, like `2026-11-30`'),
      status: z.literal('done'),
      differences: z
        .partialRecord(z.enum(DIFFERENCE_TYPE_NAMES), z.int())
        .describe('how many differences of each type were found, the repaired ones included'),
    }),
  },
} as const satisfies Readonly<Record<WebhookEventName, WebhookEvent>>;
