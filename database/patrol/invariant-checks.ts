import { DATABASE_EFFECTS } from '../../domain/effects';
import type { InvariantKind } from '../../domain/patrol';
import { Prisma } from '../../generated/prisma/client';

/** A rule that does not hold. */
export interface Violation {
  readonly kind: InvariantKind;
  /** What exactly, within its kind; the same at every look. */
  readonly key: string;
  readonly outTradeNo: string;
  readonly ours: boolean;
  /** What the rule says and what the rows say; numbers and states only, and no times. */
  readonly expected: unknown;
  readonly seen: unknown;
}

/** Violations read of one statement; more wait for the next patrol. */
const MAX_VIOLATIONS = 500;
/** Points entries summed for one user; a user with more is no customer but a test, and is left out. */
const MAX_ENTRIES = 10_000;
const effects = [...DATABASE_EFFECTS] as string[];
const isPaid = Prisma.sql`o.status IN ('paid', 'fulfilled', 'paid_late', 'refunded')`;

const row = (kind: InvariantKind, key: Prisma.Sql, expected: Prisma.Sql, seen: Prisma.Sql) =>
  Prisma.sql`${kind} AS kind, ${key} AS key, ${expected} AS expected, ${seen} AS seen`;

/**
 * The rules about orders, each one statement over the orders with these numbers. One statement sees one
 * moment, so what a transaction changes together never looks broken in between. What hangs on an order is
 * counted beside it (LATERAL), by its index: a join would be free to read the whole table.
 */
export const ORDER_CHECKS: readonly ((numbers: string[]) => Prisma.Sql)[] = [
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

  (numbers) => Prisma.sql`
    SELECT o.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'effects_disagree',
      Prisma.sql`'status'`,
      Prisma.sql`jsonb_build_object('status', o.status)`,
      Prisma.sql`e.seen`,
    )}
    FROM orders o CROSS JOIN LATERAL (
      SELECT count(*) AS rows, coalesce(jsonb_object_agg(effect, status), '{}') AS seen,
        coalesce(bool_or(status = 'done'), false) AS some_done,
        coalesce(bool_or(status NOT IN ('done', 'skipped', 'cancelled')), false) AS some_open
      FROM order_effects WHERE out_trade_no = o.out_trade_no AND effect = ANY(${effects})
    ) e
    WHERE o.out_trade_no = ANY(${numbers}) AND CASE
      WHEN o.status = 'paid' THEN e.rows = 0
      WHEN o.status = 'fulfilled' THEN e.rows = 0 OR e.some_open
      WHEN o.status IN ('created', 'awaiting_payment', 'closed') THEN e.some_done
      ELSE false END
    LIMIT ${MAX_VIOLATIONS}`,

  // The user's first order stands for the user: personal data has no place in a question.
  (numbers) => Prisma.sql`
    SELECT f.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'effect_twice',
      Prisma.sql`'points'`,
      Prisma.sql`jsonb_build_object('balance', e.total)`,
      Prisma.sql`jsonb_build_object('balance', coalesce(b.balance, 0))`,
    )}
    FROM (SELECT DISTINCT user_id FROM orders WHERE out_trade_no = ANY(${numbers})) u
    LEFT JOIN points_balances b ON b.user_id = u.user_id
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(x.delta), 0)::bigint AS total, count(*) AS entries
      FROM (SELECT delta FROM points_entries p WHERE p.user_id = u.user_id
        LIMIT ${MAX_ENTRIES + 1}) x
    ) e
    CROSS JOIN LATERAL (
      SELECT o.out_trade_no FROM orders o WHERE o.user_id = u.user_id
      ORDER BY o.created_at, o.out_trade_no LIMIT 1
    ) f
    WHERE e.entries <= ${MAX_ENTRIES} AND e.total <> coalesce(b.balance, 0)
    LIMIT ${MAX_VIOLATIONS}`,

  (numbers) => Prisma.sql`
    SELECT c.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'effect_twice',
      Prisma.sql`'codes:' || c.sku`,
      Prisma.sql`jsonb_build_object('codes', c.ordered)`,
      Prisma.sql`jsonb_build_object('codes', c.given)`,
    )}
    FROM (
      SELECT p.out_trade_no, p.sku, count(*) AS given, coalesce((SELECT sum(i.quantity)
        FROM order_items i
        WHERE i.out_trade_no = p.out_trade_no AND i.sku = p.sku AND i.pooled), 0) AS ordered
      FROM product_codes p WHERE p.out_trade_no = ANY(${numbers}) GROUP BY p.out_trade_no, p.sku
    ) c
    WHERE c.given > c.ordered LIMIT ${MAX_VIOLATIONS}`,

  (numbers) => Prisma.sql`
    SELECT r.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'reservation_leaked',
      Prisma.sql`r.sku`,
      Prisma.sql`jsonb_build_object('status', o.status, 'reserved', 0)`,
      Prisma.sql`jsonb_build_object('reserved', r.quantity)`,
    )}
    FROM orders o JOIN stock_reservations r USING (out_trade_no)
    WHERE o.out_trade_no = ANY(${numbers}) AND o.status IN ('closed', 'paid_late')
      AND r.status = 'reserved'
    LIMIT ${MAX_VIOLATIONS}`,

  (numbers) => overdrawn(Prisma.sql`t.order_no = ANY(${numbers})`),
];

/** Named only where something is shared, so that a question dismissed before reads as it did. */
const ifShared = (fen: Prisma.Sql) =>
  Prisma.sql`CASE WHEN s.shared + t.shared_fen > 0 THEN jsonb_build_object('shared', ${fen}) ELSE '{}' END`;

/**
 * What is held and given back of a transaction is the sum of its refunds, what is shared that of its
 * receivers; never more goes out than was paid, unless a person has accepted it.
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
      SELECT coalesce(sum(amount_fen) FILTER (WHERE status <> 'closed'), 0) AS held,
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
        AND NOT coalesce(r.accepted, false)) OR t.refunded_fen > t.held_fen OR t.held_fen > coalesce(t.total_fen, 0))
    LIMIT ${MAX_VIOLATIONS}`;
}

/**
 * The transactions whose refunds are open or changed lately, or that were shared lately, also those of numbers that are not ours.
 * @param limit refunds looked at of each sort
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

/** Every product's count of what is reserved; grows with the catalogue and with what is open. */
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
