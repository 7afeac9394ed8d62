// Compensates the effects of a payment when it is refunded.
import {
  compensationOf,
  effectsTakenBack,
  type DatabaseEffect,
} from '../../domain/fulfilment/effects';
import { proportion, proportions, type Fen } from '../../domain/money';
import { shanghaiDay } from '../../domain/orders/order-number';
import type { Tx } from '../core/context';
import type { LockedOrder } from '../core/lock-order';

/** A refund whose money the payer has. */
interface Refunded {
  readonly outRefundNo: string;
  readonly amountFen: Fen;
  /** The total of the refunded payment. */
  readonly paidFen: Fen;
  /** The sum of the payment's refunds up to this one, itself included. */
  readonly refundedFen: Fen;
}

/**
 * Adds the compensations of a refund in the transaction of its success: one row for each effect
 * that the order has and that the refund compensates (P7).
 */
export async function addCompensations(
  tx: Tx,
  { outTradeNo }: LockedOrder,
  refund: {
    readonly outRefundNo: string;
    readonly restock: boolean;
    readonly revokeCodes: boolean;
  },
): Promise<void> {
  const taken = effectsTakenBack(refund);
  const names = taken.map((effect) => compensationOf(effect, refund.outRefundNo));
  await tx.$executeRaw`
    INSERT INTO order_effects (out_trade_no, effect, status)
    SELECT ${outTradeNo}, x.name, 'pending' FROM unnest(${taken}::text[], ${names}::text[])
      AS x (effect, name)
    WHERE EXISTS (SELECT 1 FROM order_effects e
      WHERE e.out_trade_no = ${outTradeNo} AND e.effect = x.effect)
    ON CONFLICT (out_trade_no, effect) DO NOTHING`;
}

/** The share of one effect that one refund compensates. */
interface EffectShare {
  readonly effect: DatabaseEffect;
  readonly outRefundNo: string;
  readonly now: Date;
}

/**
 * Compensates one effect for one refund. An effect that was never done needs nothing, and the parts
 * that other refunds have compensated are not compensated again. The caller has locked the order's
 * products.
 */
export async function compensate(
  tx: Tx,
  order: LockedOrder,
  { effect, outRefundNo, now }: EffectShare,
): Promise<void> {
  const [refund] = await tx.$queryRaw<Refunded[]>`
    SELECT r.out_refund_no AS "outRefundNo", r.amount_fen AS "amountFen", t.total_fen AS "paidFen",
      (SELECT sum(x.amount_fen)::float8 FROM refunds x
        WHERE x.transaction_key = r.transaction_key AND x.status = 'succeeded'
          AND (x.succeeded_at, x.out_refund_no) <= (r.succeeded_at, r.out_refund_no)
      ) AS "refundedFen"
    FROM refunds r JOIN payment_transactions t ON t.id = r.transaction_key
    WHERE r.out_refund_no = ${outRefundNo} AND r.order_no = ${order.outTradeNo}
      AND EXISTS (SELECT 1 FROM order_effects e WHERE e.out_trade_no = r.order_no
        AND e.effect = ${effect} AND e.status = 'done')`;
  if (refund) await COMPENSATIONS[effect](tx, order, refund, now);
}

type Compensation = (tx: Tx, order: LockedOrder, refund: Refunded, now: Date) => Promise<void>;

const COMPENSATIONS: Record<DatabaseEffect, Compensation> = {
  async points(tx, order, refund, now) {
    const { outTradeNo, userId } = order;
    const [sums] = await tx.$queryRaw<{ given: number; taken: number }[]>`
      SELECT coalesce(sum(delta) FILTER (WHERE effect = 'points'), 0)::float8 AS given,
        coalesce(-sum(delta) FILTER (WHERE effect <> 'points'), 0)::float8 AS taken
      FROM points_entries WHERE out_trade_no = ${outTradeNo}`;
    if (!sums) return;
    const refunded = (await compensatedBefore(tx, order, 'points', refund)) + refund.amountFen;
    const delta = sums.taken - proportion(sums.given, refunded, refund.paidFen);
    if (delta >= 0) return;
    const effect = compensationOf('points', refund.outRefundNo);
    await tx.$executeRaw`
      WITH entry AS (
        INSERT INTO points_entries (user_id, out_trade_no, effect, delta, at)
        VALUES (${userId}, ${outTradeNo}, ${effect}, ${delta}, ${now}) RETURNING user_id, delta
      )
      INSERT INTO points_balances (user_id, balance) SELECT user_id, delta FROM entry
      ON CONFLICT (user_id) DO UPDATE SET balance = points_balances.balance + excluded.balance`;
  },

  /** Subtracts from the day of the payment, so that one row has the net sales of a day. */
  async sales(tx, order, refund, now) {
    const { outTradeNo } = order;
    const lines = await tx.$queryRaw<{ sku: string; units: number; revenueFen: number }[]>`
      SELECT sku, sum(quantity)::float8 AS units,
        sum(quantity::bigint * unit_price_fen)::float8 AS "revenueFen"
      FROM order_items WHERE out_trade_no = ${outTradeNo} GROUP BY sku ORDER BY sku`;
    const before = await compensatedBefore(tx, order, 'sales', refund);
    const refunded = before + refund.amountFen;
    const share = (parts: number[]) => {
      const earlier = proportions(parts, before, refund.paidFen);
      return proportions(parts, refunded, refund.paidFen).map(
        (part, n) => part - (earlier[n] ?? 0),
      );
    };
    const revenue = share(lines.map(({ revenueFen }) => revenueFen));
    const units = lines.map(
      ({ units: sold }) =>
        proportion(sold, refunded, refund.paidFen) - proportion(sold, before, refund.paidFen),
    );
    const back = lines.map(({ sku }, n) => ({ sku, units: units[n], revenue_fen: revenue[n] }));
    const whole = refunded >= refund.paidFen ? 1 : 0;
    const day = shanghaiDay((order.paidAt ?? now).getTime());
    await tx.$executeRaw`
      WITH back AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(back)}::jsonb)
          AS x (sku text, units bigint, revenue_fen bigint)
      ), sold AS (
        UPDATE products SET sold = greatest(sold - back.units, 0) FROM back
        WHERE products.sku = back.sku
      ), locked AS (
        -- A sku without a product has no lock yet: statistics are locked by sku, as when sold.
        SELECT s.day, s.sku FROM sales_statistics s JOIN back USING (sku)
        WHERE s.day = ${day} ORDER BY s.sku FOR NO KEY UPDATE OF s
      )
      UPDATE sales_statistics s SET units = s.units - back.units,
        revenue_fen = s.revenue_fen - back.revenue_fen, orders = s.orders - ${whole}::int
      FROM back JOIN locked USING (sku) WHERE s.day = locked.day AND s.sku = locked.sku`;
  },

  /**
   * Counts all refunds up to this one, because goods that an earlier refund left out may come back
   * with it. Later refunds don't count, even when this runs after them.
   */
  async stock(tx, order, refund) {
    const rows = await tx.stockReservation.findMany({
      where: { outTradeNo: order.outTradeNo, status: 'taken' },
      select: { sku: true, quantity: true, returned: true },
      orderBy: { sku: 'asc' },
    });
    for (const { sku, quantity, returned } of rows) {
      const back = proportion(quantity, refund.refundedFen, refund.paidFen);
      if (back <= returned) continue;
      await tx.stockReservation.updateMany({
        where: { outTradeNo: order.outTradeNo, sku },
        data: { returned: back },
      });
      const onHand = { stock: { increment: back - returned } };
      await tx.product.updateMany({ where: { sku, stock: { not: null } }, data: onHand });
    }
  },

  /** Revokes unused codes only. The user has seen them, so they are never handed out again. */
  async delivery(tx, order, refund, now) {
    const { outTradeNo } = order;
    const rows = await tx.$queryRaw<{ sku: string; given: number; revoked: number }[]>`
      SELECT sku, count(*)::int AS given, count(revoked_at)::int AS revoked
      FROM product_codes WHERE out_trade_no = ${outTradeNo} GROUP BY sku ORDER BY sku`;
    for (const { sku, given, revoked } of rows) {
      const back = proportion(given, refund.refundedFen, refund.paidFen) - revoked;
      if (back <= 0) continue;
      await tx.$executeRaw`
        UPDATE product_codes SET revoked_at = ${now}, revoked_by = ${refund.outRefundNo}
        WHERE id IN (SELECT id FROM product_codes
          WHERE out_trade_no = ${outTradeNo} AND sku = ${sku}
            AND used_at IS NULL AND revoked_at IS NULL ORDER BY id DESC LIMIT ${back} FOR UPDATE)`;
    }
  },
};

/** The sum of the other refunds that have compensated this effect already, in fen. */
async function compensatedBefore(
  tx: Tx,
  order: LockedOrder,
  effect: DatabaseEffect,
  { outRefundNo }: Refunded,
): Promise<number> {
  const [row] = await tx.$queryRaw<{ fen: number }[]>`
    SELECT coalesce(sum(r.amount_fen), 0)::float8 AS fen
    FROM order_effects e JOIN refunds r
      ON e.effect = ${compensationOf(effect, '')} || r.out_refund_no
    WHERE e.out_trade_no = ${order.outTradeNo} AND r.order_no = e.out_trade_no
      AND e.status = 'done' AND r.out_refund_no <> ${outRefundNo}`;
  return row?.fen ?? 0;
}
