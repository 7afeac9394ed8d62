// Checks order, effects, points, codes and stock against each other, as SQL rules.
import { BACK, DATABASE_EFFECTS, effectsTakenBack } from '../../domain/fulfilment/effects';
import { FEN_PER_POINT } from '../../domain/money';
import { Prisma } from '../../generated/prisma/client';
import { MAX_VIOLATIONS, row, type OrderCheck } from './violation';

/** Points entries summed for one user. A user with more is a test user, and is left out. */
const MAX_ENTRIES = 10_000;
const effects = [...DATABASE_EFFECTS] as string[];
/** The effects that each refund compensates, whatever the caller requested. */
const compensatedEffects = effectsTakenBack({ restock: false, revokeCodes: false }) as string[];

/** The rules about effects. */
export const EFFECT_CHECKS: readonly OrderCheck[] = [
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
      WHEN o.status = 'refunded' THEN e.some_open
      ELSE e.some_done END
    LIMIT ${MAX_VIOLATIONS}`,

  // The rule above covers orders on which no effect may be done. Points count what was paid; up to
  // 0.3.0 they counted what the order said, so either is right.
  (numbers) => Prisma.sql`
    SELECT o.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'effects_disagree',
      Prisma.sql`'points'`,
      Prisma.sql`jsonb_build_object('points', e.status)`,
      Prisma.sql`jsonb_build_object('entries', e.entries)`,
    )}
    FROM orders o CROSS JOIN LATERAL (
      SELECT o.total_fen, coalesce((SELECT t.total_fen FROM payment_transactions t
        WHERE t.order_no = o.out_trade_no AND t.status = 'applied'), o.total_fen) AS paid_fen
    ) a CROSS JOIN LATERAL (
      SELECT x.status, (SELECT count(*) FROM points_entries p
        WHERE p.out_trade_no = x.out_trade_no AND p.effect = x.effect) AS entries
      FROM order_effects x WHERE x.out_trade_no = o.out_trade_no AND x.effect = 'points' LIMIT 1
    ) e
    WHERE o.out_trade_no = ANY(${numbers}) AND o.status IN ('paid', 'fulfilled', 'refunded')
      AND e.entries NOT BETWEEN
        CASE WHEN e.status = 'done' AND least(a.total_fen, a.paid_fen) >= ${FEN_PER_POINT}
          THEN 1 ELSE 0 END
        AND CASE WHEN e.status = 'done' AND greatest(a.total_fen, a.paid_fen) >= ${FEN_PER_POINT}
          THEN 1 ELSE 0 END
    LIMIT ${MAX_VIOLATIONS}`,

  // Names the missing compensations, and those without a refund.
  (numbers) => Prisma.sql`
    SELECT o.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'effects_disagree',
      Prisma.sql`'taken_back'`,
      Prisma.sql`jsonb_build_object('taken_back', d.missing)`,
      Prisma.sql`jsonb_build_object('taken_back', d.extra)`,
    )}
    FROM orders o CROSS JOIN LATERAL (
      SELECT id FROM payment_transactions
      WHERE order_no = o.out_trade_no AND status = 'applied' LIMIT 1
    ) t CROSS JOIN LATERAL (
      SELECT coalesce(jsonb_agg(w.name ORDER BY w.name)
          FILTER (WHERE b.name IS NULL), '[]') AS missing,
        coalesce(jsonb_agg(b.name ORDER BY b.name) FILTER (WHERE w.name IS NULL), '[]') AS extra
      FROM (
        SELECT e.effect || ${BACK} || r.out_refund_no AS name
        FROM refunds r JOIN order_effects e ON e.out_trade_no = o.out_trade_no
        WHERE r.transaction_key = t.id AND r.status = 'succeeded'
          AND (e.effect = ANY(${compensatedEffects})
          OR (e.effect = 'stock' AND r.restock) OR (e.effect = 'delivery' AND r.revoke_codes))
      ) w FULL JOIN (
        SELECT effect AS name FROM order_effects
        WHERE out_trade_no = o.out_trade_no AND effect <> ALL(${effects})
      ) b USING (name)
    ) d
    WHERE o.out_trade_no = ANY(${numbers}) AND (d.missing <> '[]' OR d.extra <> '[]')
    LIMIT ${MAX_VIOLATIONS}`,

  // The user's first order stands for the user: an intervention has no personal data.
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
    WHERE o.out_trade_no = ANY(${numbers})
      AND o.status NOT IN ('created', 'awaiting_payment', 'paid') AND r.status = 'reserved'
    LIMIT ${MAX_VIOLATIONS}`,
];
