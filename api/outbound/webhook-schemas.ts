import { z } from 'zod';
import { CHANNEL_NAMES } from '../../domain/orders/channels';
import type { WebhookEventName } from '../../domain/fulfilment/effects';
import { ORDER_STATUSES, type OrderStatus } from '../../domain/orders/order-state';
import { RECEIVER_RESULTS, RECEIVER_TYPES } from '../../domain/sharing/profit-sharing';
import { fen } from '../http/fields';
import { json } from '../http/fields';

/** What the shop's webhook is told, for `/openapi.json`; `database/delivery-rows` writes it. */

interface WebhookEvent {
  readonly summary: string;
  readonly payload: z.ZodType;
}

const amount = z.object({
  total: fen,
  currency: z.string(),
  refunded: fen.describe('in 分; what is back of the payment that paid the order'),
});

const order = {
  out_trade_no: z.string(),
  shop_order_no: z.string().nullable(),
  metadata: json.nullable().describe("the order's own"),
};
const transactionId = z.string().describe("WeChat Pay's number of the payment");
const status = z.enum(ORDER_STATUSES).describe("the order's");

function envelope(event: WebhookEventName, data: z.ZodRawShape) {
  return z.object({
    type: z.literal(event),
    timestamp: z.iso.datetime().describe('when it happened; the same at every attempt'),
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

export const WEBHOOK_EVENTS = {
  'order.paid': {
    summary: 'The order is paid; its effects are under way',
    payload: orderEvent('order.paid', 'paid', transactionId),
  },
  'order.fulfilled': {
    summary: 'Points, sales, stock and codes are done or skipped',
    payload: orderEvent('order.fulfilled', 'fulfilled', transactionId),
  },
  'order.closed': {
    summary: 'The order is closed, at WeChat Pay too',
    payload: orderEvent('order.closed', 'closed', z.null()),
  },
  'order.paid_late': {
    summary: 'Money came after the close: it goes back, or a person decides',
    payload: orderEvent('order.paid_late', 'paid_late', transactionId),
  },
  'refund.succeeded': {
    summary: 'The money of a refund is back with the payer',
    payload: envelope('refund.succeeded', {
      ...order,
      out_refund_no: z.string(),
      transaction_id: transactionId.describe('of the payment that the money went back of'),
      refund_amount: fen,
      status: status.describe("the order's, after it"),
      amount,
    }),
  },
  'profit_sharing.finished': {
    summary: 'WeChat Pay has decided on each receiver of a profit sharing; that is not success',
    payload: envelope('profit_sharing.finished', {
      ...order,
      out_order_no: z.string(),
      transaction_id: transactionId,
      receivers: z.array(
        z.object({
          line: z.int().describe('which receiver: its place in the request, from 1'),
          type: z.enum(RECEIVER_TYPES),
          amount: fen,
          result: z.enum(RECEIVER_RESULTS).exclude(['PENDING']),
          fail_reason: z.string().nullable().describe("WeChat Pay's, of one that is CLOSED"),
        }),
      ),
      status,
    }),
  },
} as const satisfies Readonly<Record<WebhookEventName, WebhookEvent>>;
