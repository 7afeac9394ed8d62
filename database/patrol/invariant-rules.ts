// Checks the invariants of orders, payments and stock, as SQL rules.
import { Prisma } from '../../generated/prisma/client';
import { SALES_CHECKS } from './check-sales';
import { EFFECT_CHECKS } from './effect-rules';
import { isPaid, MAX_VIOLATIONS, row, type OrderCheck } from './violation';

/**
 * The rules about orders. Each is one statement on the orders with these numbers, so it sees one
 * moment, and never the middle of a transaction. Rows that belong to an order are counted by
 * LATERAL with their index: a join could read the whole table.
 */
export const ORDER_CHECKS: readonly OrderCheck[] = [
  (numbers) => Prisma.sql`
    SELECT o.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'status_without_transaction',
      Prisma.sql`'applied'`,
      Prisma.sql`jsonb_build_object('status', o.status,
        'applied', CASE WHEN ${isPaid} THEN 1 ELSE 0 END)`,
      Prisma.sql`jsonb_build_object('applied', t.applied)`,
    )}
    FROM orders o CROSS JOIN LATERAL (
      SELECT count(*) AS applied FROM payment_transactions
      WHERE order_no = o.out_trade_no AND status = 'applied'
    ) t
    WHERE o.out_trade_no = ANY(${numbers}) AND t.applied <> CASE WHEN ${isPaid} THEN 1 ELSE 0 END
    LIMIT ${MAX_VIOLATIONS}`,

  // The rule above covers orders without their payment.
  (numbers) => Prisma.sql`
    SELECT o.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'status_without_transaction',
      Prisma.sql`'refunded'`,
      Prisma.sql`jsonb_build_object('paid', coalesce(t.total_fen, 0), 'refunded', r.fen)`,
      Prisma.sql`jsonb_build_object('status', o.status, 'refunded', o.refunded_fen)`,
    )}
    FROM orders o LEFT JOIN LATERAL (
      SELECT id, total_fen FROM payment_transactions
      WHERE order_no = o.out_trade_no AND status = 'applied' LIMIT 1
    ) t ON true CROSS JOIN LATERAL (
      SELECT coalesce(sum(amount_fen), 0) AS fen FROM refunds
      WHERE transaction_key = t.id AND status = 'succeeded'
    ) r
    WHERE o.out_trade_no = ANY(${numbers}) AND (t.id IS NOT NULL OR NOT ${isPaid})
      AND (o.refunded_fen <> r.fen
        OR (o.status = 'refunded') <> coalesce(r.fen >= t.total_fen, false))
    LIMIT ${MAX_VIOLATIONS}`,

  ...EFFECT_CHECKS,
  ...SALES_CHECKS,

  (numbers) => overdrawn(Prisma.sql`t.order_no = ANY(${numbers})`),
];

/** Only where something is shared: so evidence of dismissed interventions stays the same. */
const ifShared = (fen: Prisma.Sql) =>
  Prisma.sql`CASE WHEN s.shared + t.shared_fen > 0
    THEN jsonb_build_object('shared', ${fen}) ELSE '{}' END`;

/**
 * Checks that the held and refunded amounts of a payment are the sums of its refunds, that the
 * shared amount is the sum of its receivers, and that no more goes out than was paid, unless a
 * person accepted it.
 */
function overdrawn(which: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`
    SELECT t.out_trade_no AS "outTradeNo", t.order_no IS NOT NULL AS ours, ${row(
      'transaction_overdrawn',
      Prisma.sql`t.transaction_id`,
      Prisma.sql`jsonb_build_object('total', coalesce(t.total_fen, 0), 'held', r.held,
        'refunded', r.refunded) || ${ifShared(Prisma.sql`s.shared`)}`,
      Prisma.sql`jsonb_build_object('held', t.held_fen, 'refunded', t.refunded_fen)
        || ${ifShared(Prisma.sql`t.shared_fen`)}`,
    )}
    FROM payment_transactions t CROSS JOIN LATERAL (
      -- A refund made elsewhere and ours may add up to more for a while: all is held then.
      SELECT least(coalesce(t.total_fen, 0),
          coalesce(sum(amount_fen) FILTER (WHERE status <> 'closed'), 0)) AS held,
        coalesce(sum(amount_fen) FILTER (WHERE status = 'succeeded'), 0) AS refunded,
        bool_or(short_accepted_at IS NOT NULL) AS accepted
      FROM refunds WHERE transaction_key = t.id
    ) r CROSS JOIN LATERAL (
      SELECT coalesce(sum(x.amount_fen - x.returned_fen), 0) AS shared
      FROM profit_sharings p JOIN profit_sharing_receivers x USING (out_order_no)
      WHERE p.transaction_key = t.id AND x.result IN ('PENDING', 'SUCCESS')
    ) s
    WHERE ${which} AND (t.held_fen <> r.held OR t.refunded_fen <> r.refunded
      OR t.shared_fen <> s.shared OR (t.refunded_fen + t.shared_fen > coalesce(t.total_fen, 0)
        AND NOT coalesce(r.accepted, false)) OR t.refunded_fen > t.held_fen
        OR t.held_fen > coalesce(t.total_fen, 0))
    LIMIT ${MAX_VIOLATIONS}`;
}

/**
 * Checks the payments with open refunds, or with refunds or sharings that changed since `since`,
 * also payments of unknown orders.
 * @param limit rows checked of each of the three kinds
 */
export function refundedCheck(since: Date, limit: number): Prisma.Sql {
  return overdrawn(Prisma.sql`t.id IN (
    (SELECT transaction_key FROM refunds WHERE due_at IS NOT NULL ORDER BY due_at LIMIT ${limit})
    UNION
    (SELECT transaction_key FROM refunds
      WHERE GREATEST(created_at, accepted_at, succeeded_at, closed_at) >= ${since}
      ORDER BY GREATEST(created_at, accepted_at, succeeded_at, closed_at) LIMIT ${limit})
    UNION
    (SELECT transaction_key FROM profit_sharings
      WHERE GREATEST(created_at, accepted_at, finished_at, closed_at) >= ${since}
      ORDER BY GREATEST(created_at, accepted_at, finished_at, closed_at) LIMIT ${limit}))`);
}

/** Checks the reserved units of all products. The cost grows with products and open orders. */
export function stockCheck(): Prisma.Sql {
  return Prisma.sql`
    SELECT 'sku:' || p.sku AS "outTradeNo", false AS ours, ${row(
      'stock_disagrees',
      Prisma.sql`p.sku`,
      Prisma.sql`jsonb_build_object('reserved', coalesce(h.quantity, 0))`,
      Prisma.sql`jsonb_build_object('reserved', p.reserved)`,
    )}
    FROM products p LEFT JOIN (
      SELECT sku, sum(quantity) AS quantity FROM stock_reservations
      WHERE status = 'reserved' GROUP BY sku
    ) h USING (sku)
    WHERE p.reserved <> coalesce(h.quantity, 0) ORDER BY p.sku LIMIT ${MAX_VIOLATIONS}`;
}
