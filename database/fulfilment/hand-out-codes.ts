// Hands out codes from the pool to an order.
import type { Tx } from '../core/context';

/** The codes of one sku that the order still needs. */
interface Wanted {
  readonly sku: string;
  readonly quantity: number;
}

/**
 * Hands out codes from the pool to an order, the oldest first; each code goes to one order only.
 * The caller has locked the products, so a code that is not found is really missing and not just
 * locked by another.
 * @returns false when the pool has too few codes; the caller then rolls back to its savepoint
 */
export async function handOutCodes(tx: Tx, outTradeNo: string, now: Date): Promise<boolean> {
  const wanted = await tx.$queryRaw<Wanted[]>`
    SELECT i.sku, sum(i.quantity)::int - (SELECT count(*)::int FROM product_codes c
      WHERE c.out_trade_no = ${outTradeNo} AND c.sku = i.sku) AS quantity
    FROM order_items i WHERE i.out_trade_no = ${outTradeNo} AND i.pooled
    GROUP BY i.sku ORDER BY i.sku`;
  for (const { sku, quantity } of wanted) {
    if (quantity <= 0) continue;
    const given = await tx.$executeRaw`
      UPDATE product_codes SET out_trade_no = ${outTradeNo}, delivered_at = ${now}
      WHERE id IN (SELECT id FROM product_codes WHERE sku = ${sku} AND out_trade_no IS NULL
        ORDER BY id LIMIT ${quantity} FOR UPDATE)`;
    if (given !== quantity) return false;
  }
  return true;
}
