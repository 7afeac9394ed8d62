// Reads orders for the API: one for payment, one with everything, or a page of them.
import { Prisma } from '../../generated/prisma/client';
import { fen, type Fen } from '../../domain/money';
import type { Channel } from '../../domain/orders/channels';
import type { OrderStatus } from '../../domain/orders/order-state';
import type { DatabaseContext } from '../core/context';
import { findOrder, findRefund, type OrderDetails, type RefundView } from './read-order-details';

/** The facts of an order that the API needs for its payment. */
export interface PayableOrder {
  readonly outTradeNo: string;
  readonly channel: Channel;
  readonly status: OrderStatus;
  readonly totalFen: Fen;
  readonly refundedFen: Fen;
  readonly currency: string;
  readonly appId: string;
  readonly merchantId: string;
  readonly expiresAt: Date;
  readonly closeRequestedAt: Date | null;
  readonly prepayRounds: number;
  readonly prepayToken: string | null;
  readonly prepayExpiresAt: Date | null;
  readonly refusalCode: string | null;
  readonly refusalWechatCode: string | null;
  readonly refusalMessage: string | null;
}

/** An order's oldest open intervention, and how many are open. */
export interface Attention {
  readonly id: string;
  readonly reason: string;
  readonly since: Date;
  readonly openCount: number;
}

/** An order in a list. */
export interface OrderSummary {
  readonly outTradeNo: string;
  readonly status: OrderStatus;
  readonly channel: Channel;
  readonly userId: string;
  readonly shopOrderNo: string | null;
  readonly description: string;
  readonly totalFen: Fen;
  readonly refundedFen: Fen;
  readonly currency: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly paidAt: Date | null;
  readonly attention: Attention | null;
}

/** Which orders a page lists; null: no condition. */
export interface OrderFilter {
  readonly status: OrderStatus | null;
  /** true, false, or one reason. */
  readonly attention: boolean | string | null;
  readonly userId: string | null;
  readonly createdAfter: Date | null;
  /** The last row of the page before. */
  readonly after: { readonly createdAt: Date; readonly outTradeNo: string } | null;
  readonly limit: number;
}

const PAYABLE = {
  outTradeNo: true,
  channel: true,
  status: true,
  totalFen: true,
  refundedFen: true,
  currency: true,
  appId: true,
  merchantId: true,
  expiresAt: true,
  closeRequestedAt: true,
  prepayRounds: true,
  prepayToken: true,
  prepayExpiresAt: true,
  refusalCode: true,
  refusalWechatCode: true,
  refusalMessage: true,
} as const satisfies Prisma.OrderSelect;

/** Reads orders; it never writes. */
export function createOrderReading(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** null when there is no order with this number. */
    async findPayable(outTradeNo: string): Promise<PayableOrder | null> {
      const row = await prisma.order.findUnique({ where: { outTradeNo }, select: PAYABLE });
      return (
        row && {
          ...row,
          status: row.status as OrderStatus,
          channel: row.channel as Channel,
          totalFen: fen(row.totalFen),
          refundedFen: fen(row.refundedFen),
        }
      );
    },

    /** How many interventions `wechat_failed` of the order have ended. */
    wechatFailuresEnded: (outTradeNo: string): Promise<number> =>
      prisma.intervention.count({
        where: { orderNo: outTradeNo, reason: 'wechat_failed', status: { not: 'open' } },
      }),

    /**
     * The order with everything that belongs to it; null when there is none.
     * @param withCodes decrypts its codes
     */
    findOrder: (outTradeNo: string, withCodes: boolean): Promise<OrderDetails | null> =>
      findOrder(context, outTradeNo, withCodes),

    /** null when the order has no refund with this number. */
    findRefund: (outTradeNo: string, outRefundNo: string): Promise<RefundView | null> =>
      findRefund(context, outTradeNo, outRefundNo),

    /** Lists orders, newest first. The cost grows with the page, not with the number of orders. */
    async list(filter: OrderFilter): Promise<OrderSummary[]> {
      const rows = await prisma.$queryRaw<SummaryRow[]>`
        SELECT o.out_trade_no AS "outTradeNo", o.status, o.channel, o.user_id AS "userId",
          o.shop_order_no AS "shopOrderNo", o.description, o.total_fen AS "totalFen",
          o.refunded_fen AS "refundedFen", o.currency, o.created_at AS "createdAt",
          o.expires_at AS "expiresAt", o.paid_at AS "paidAt", a.id AS "attentionId",
          a.reason AS "attentionReason", a.since AS "attentionSince", a.open_count AS "openCount"
        FROM orders o LEFT JOIN LATERAL (
          SELECT i.id::text, i.reason, i.since, (count(*) OVER ())::int AS open_count
          FROM interventions i WHERE i.order_no = o.out_trade_no AND i.status = 'open'
          ORDER BY i.since, i.id LIMIT 1
        ) a ON true
        WHERE ${Prisma.join(conditions(filter), ' AND ')}
        ORDER BY o.created_at DESC, o.out_trade_no DESC LIMIT ${filter.limit}`;
      return rows.map(toSummary);
    },
  };
}

interface SummaryRow extends Omit<OrderSummary, 'attention'> {
  readonly attentionId: string | null;
  readonly attentionReason: string | null;
  readonly attentionSince: Date | null;
  readonly openCount: number | null;
}

function conditions(filter: OrderFilter): Prisma.Sql[] {
  const all = [Prisma.sql`true`];
  if (filter.status !== null) all.push(Prisma.sql`o.status = ${filter.status}`);
  if (filter.userId !== null) all.push(Prisma.sql`o.user_id = ${filter.userId}`);
  if (filter.createdAfter) all.push(Prisma.sql`o.created_at > ${filter.createdAfter}`);
  if (filter.after) {
    const { createdAt, outTradeNo } = filter.after;
    all.push(Prisma.sql`(o.created_at, o.out_trade_no) < (${createdAt}, ${outTradeNo})`);
  }
  if (filter.attention !== null) all.push(attentionCondition(filter.attention));
  return all;
}

function attentionCondition(attention: boolean | string): Prisma.Sql {
  const reason =
    typeof attention === 'string' ? Prisma.sql` AND f.reason = ${attention}` : Prisma.empty;
  const open = Prisma.sql`EXISTS (SELECT 1 FROM interventions f
    WHERE f.order_no = o.out_trade_no AND f.status = 'open'${reason})`;
  return attention === false ? Prisma.sql`NOT ${open}` : open;
}

function toSummary(row: SummaryRow): OrderSummary {
  const { attentionId: id, attentionReason: reason, attentionSince: since, ...rest } = row;
  const { openCount, ...order } = rest;
  const attention =
    id !== null && reason !== null && since !== null
      ? { id, reason, since, openCount: openCount ?? 1 }
      : null;
  return { ...order, attention };
}
