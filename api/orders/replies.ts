// Schemas and renderings of the replies for orders.
import { z } from 'zod';
import { CHANNEL_NAMES } from '../../domain/orders/channels';
import { DATABASE_EFFECTS, EFFECT_STATUSES } from '../../domain/fulfilment/effects';
import type { OrderDetails } from '../../database/views/read-order-details';
import type { Attention, OrderSummary, PayableOrder } from '../../database/views/read-orders';
import type { ClientPayParameters } from '../../providers/wechatpay/calls/pay-parameters';
import type { Role } from '../../config/fields';
import { fen, json } from '../http/fields';
import { SHOP_ROLES } from '../http/operations';
import {
  amount,
  amountOf,
  iso,
  markUnreadable,
  NULL_IF_UNREADABLE,
  status,
  time,
  unreadable,
} from '../http/reply-fields';
import { refundReply, renderRefund } from '../refunds/replies';
import { renderSharing, sharingReply } from '../sharing/replies';

const attention = z
  .object({ id: z.string(), reason: z.string(), since: time, open_count: z.int() })
  .nullable();

/** An order and what its user needs to pay it. */
export const paymentReply = z.object({
  out_trade_no: z.string(),
  status,
  amount,
  expires_at: time,
  payment: z
    .record(z.string(), z.string())
    .nullable()
    .describe(
      'the parameters that the client passes to WeChat Pay as they are; null when there are none',
    ),
});

const summaryShape = {
  out_trade_no: z.string(),
  status,
  channel: z.enum(CHANNEL_NAMES),
  user_id: z.string().describe('a viewer sees its first two characters and ***'),
  shop_order_no: z.string().nullable(),
  description: z.string(),
  amount,
  created_at: time,
  expires_at: time,
  paid_at: time.nullable(),
  attention,
};

/** A page of orders. */
export const orderListReply = z.object({
  data: z.array(z.object(summaryShape)),
  next_cursor: z.string().nullable(),
});

/** An order with everything that belongs to it. */
export const orderReply = z.object({
  ...summaryShape,
  profit_sharing: z.boolean(),
  metadata: json.nullable().describe('null for a viewer'),
  fulfilled_at: time.nullable(),
  closed_at: time.nullable(),
  transaction_id: z.string().nullable(),
  items: z.array(
    z.object({ sku: z.string(), quantity: z.int(), unit_price: fen, kind: z.string() }),
  ),
  history: z.array(z.object({ from: status.nullable(), to: status, at: time, cause: z.string() })),
  effects: z.array(
    z.object({
      effect: z
        .string()
        .describe(
          `${DATABASE_EFFECTS.join(', ')}; after a refund also points_back:<out_refund_no>`,
        ),
      status: z.enum(EFFECT_STATUSES),
      done_at: time.nullable(),
      error: z.string().nullable(),
    }),
  ),
  deliveries: z.array(
    z.object({
      id: z.string(),
      kind: z.enum(['webhook', 'message']),
      event: z.string(),
      status: z.enum(['pending', 'done', 'failed']),
      attempts: z.int(),
      done_at: time.nullable(),
    }),
  ),
  notices: z
    .array(
      z.object({
        id: z.string(),
        kind: z.string(),
        event_type: z.string().nullable(),
        received_at: time,
        verdict: z.enum(['applied', 'already_applied', 'conflict', 'ignored']).nullable(),
      }),
    )
    .describe('the newest 200, oldest first'),
  notices_total: z.int().describe('all notices of the order'),
  transactions: z.array(
    z.object({
      transaction_id: z.string(),
      status: z.enum(['applied', 'rejected', 'surplus']),
      amount: z.object({ total: fen.nullable(), currency: z.string().nullable() }),
      created_at: time,
    }),
  ),
  refunds: z.array(refundReply),
  profit_sharings: z.array(sharingReply),
  codes: z
    .array(
      z.object({
        sku: z.string(),
        code: z.string().nullable().describe(NULL_IF_UNREADABLE),
        unreadable,
        delivered_at: time.nullable(),
        used_at: time.nullable(),
        revoked_at: time.nullable(),
      }),
    )
    .optional()
    .describe('only shown to the roles merchant and admin'),
});

const attentionOf = (open: Attention | null) =>
  open && {
    id: open.id,
    reason: open.reason,
    since: open.since.toISOString(),
    open_count: open.openCount,
  };

/** Renders an order with the parameters to pay it. */
export function renderPayment(order: PayableOrder, payment: ClientPayParameters | null) {
  return {
    out_trade_no: order.outTradeNo,
    status: order.status,
    amount: amountOf(order),
    expires_at: order.expiresAt.toISOString(),
    payment,
  };
}

/** Characters of a user's id that a viewer sees. */
const SHOWN_OF_USER = 2;

/** A viewer only watches: it sees no data of the shop's users. */
const maskUser = (userId: string) => `${Array.from(userId).slice(0, SHOWN_OF_USER).join('')}***`;

/** Renders an order for a list, as the role may see it. */
export function renderSummary(order: OrderSummary, role: Role) {
  return {
    out_trade_no: order.outTradeNo,
    status: order.status,
    channel: order.channel,
    user_id: role === 'viewer' ? maskUser(order.userId) : order.userId,
    shop_order_no: order.shopOrderNo,
    description: order.description,
    amount: amountOf(order),
    created_at: order.createdAt.toISOString(),
    expires_at: order.expiresAt.toISOString(),
    paid_at: iso(order.paidAt),
    attention: attentionOf(order.attention),
  };
}

/** Renders an order with everything that belongs to it, as the role may see it. */
export function renderOrder(order: OrderDetails, role: Role) {
  return {
    ...renderSummary(order, role),
    profit_sharing: order.profitSharing,
    metadata: role === 'viewer' ? null : order.metadata,
    fulfilled_at: iso(order.fulfilledAt),
    closed_at: iso(order.closedAt),
    transaction_id: order.transactionId,
    items: order.items.map(({ unitPriceFen, ...item }) => ({ ...item, unit_price: unitPriceFen })),
    history: order.history.map((step) => ({ ...step, at: step.at.toISOString() })),
    effects: order.effects.map(({ doneAt, errorCode, ...effect }) => ({
      ...effect,
      done_at: iso(doneAt),
      error: errorCode,
    })),
    deliveries: order.deliveries.map(({ doneAt, ...delivery }) => ({
      ...delivery,
      done_at: iso(doneAt),
    })),
    notices: order.notices.map((notice) => ({
      id: notice.notificationId,
      kind: notice.kind,
      event_type: notice.eventType,
      received_at: notice.receivedAt.toISOString(),
      verdict: notice.verdict,
    })),
    notices_total: order.noticesTotal,
    transactions: order.transactions.map((transaction) => ({
      transaction_id: transaction.transactionId,
      status: transaction.status,
      amount: { total: transaction.totalFen, currency: transaction.currency },
      created_at: transaction.createdAt.toISOString(),
    })),
    refunds: order.refunds.map(renderRefund),
    profit_sharings: order.profitSharings.map((one) =>
      renderSharing(one, SHOP_ROLES.includes(role)),
    ),
    ...(order.codes && {
      codes: order.codes.map(({ sku, code, deliveredAt, usedAt, revokedAt }) => ({
        sku,
        code,
        ...markUnreadable(code),
        delivered_at: iso(deliveredAt),
        used_at: iso(usedAt),
        revoked_at: iso(revokedAt),
      })),
    }),
  };
}
