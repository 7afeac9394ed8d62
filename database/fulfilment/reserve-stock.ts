// Reserves stock for an order, releases it, and reserves it again.
import type { Tx } from '../core/context';
import type { LockedOrder } from '../core/lock-order';

export type ItemKind = 'physical' | 'virtual';

/** The product's part of an order line; it is fixed when the order is made. */
export interface OrderLine {
  readonly kind: ItemKind;
  /** True when the goods are codes from the pool. */
  readonly pooled: boolean;
}

/** Units of a product that are held for an order. */
export interface StockReservation {
  readonly sku: string;
  readonly quantity: number;
}

/** The reason why an order can't be made. */
export type ProductConflict =
  | { readonly kind: 'out_of_stock'; readonly sku: string }
  /** The item at `index` names another kind than the product has. */
  | { readonly kind: 'kind_conflict'; readonly index: number };

type Item = { readonly sku: string; readonly quantity: number; readonly kind: ItemKind | null };

/**
 * Reserves the items whose stock is tracked, and locks the products in sku order. For a sku that is
 * not in `products`, Oncepay keeps no stock and delivers nothing: the shop does it.
 */
export async function reserveStock<T extends Item>(
  tx: Tx,
  items: readonly T[],
): Promise<
  | {
      readonly kind: 'reserved';
      readonly items: readonly (T & OrderLine)[];
      readonly reservations: readonly StockReservation[];
    }
  | ProductConflict
> {
  const wanted = new Map<string, number>();
  for (const { sku, quantity } of items) wanted.set(sku, (wanted.get(sku) ?? 0) + quantity);
  const products = await tx.$queryRaw<
    { sku: string; kind: ItemKind; stock: number | null; reserved: number }[]
  >`SELECT sku, kind, stock, reserved FROM products WHERE sku = ANY(${[...wanted.keys()]})
    ORDER BY sku FOR NO KEY UPDATE`;
  const kinds = new Map(products.map(({ sku, kind }) => [sku, kind]));
  const clash = items.findIndex(
    ({ sku, kind }) => kind !== null && (kinds.get(sku) ?? kind) !== kind,
  );
  if (clash >= 0) return { kind: 'kind_conflict', index: clash };
  const tracked = products.filter(({ stock }) => stock !== null);
  const short = tracked.find(
    ({ sku, stock, reserved }) => (stock ?? 0) - reserved < (wanted.get(sku) ?? 0),
  );
  if (short) return { kind: 'out_of_stock', sku: short.sku };
  const reservations = tracked.map(({ sku }) => ({ sku, quantity: wanted.get(sku) ?? 0 }));
  if (reservations.length > 0) {
    await tx.$executeRaw`
      UPDATE products SET reserved = reserved + x.quantity
      FROM jsonb_to_recordset(${JSON.stringify(reservations)}::jsonb) AS x (sku text, quantity int)
      WHERE products.sku = x.sku`;
  }
  return {
    kind: 'reserved',
    items: items.map((item) => ({
      ...item,
      kind: kinds.get(item.sku) ?? item.kind ?? 'physical',
      pooled: kinds.get(item.sku) === 'virtual',
    })),
    reservations,
  };
}

/** Releases the stock that an order has reserved and does not need any more. Idempotent. */
export async function releaseStock(tx: Tx, { outTradeNo }: LockedOrder): Promise<void> {
  await tx.$executeRaw`
    WITH held AS (
      UPDATE stock_reservations SET status = 'released'
      WHERE out_trade_no = ${outTradeNo} AND status = 'reserved' RETURNING sku, quantity
    ), locked AS (
      SELECT p.sku, held.quantity FROM products p JOIN held USING (sku)
      ORDER BY p.sku FOR NO KEY UPDATE OF p
    )
    UPDATE products SET reserved = greatest(reserved - locked.quantity, 0) FROM locked
    WHERE products.sku = locked.sku`;
}

/**
 * Reserves again the stock that an order released when it closed, because its late payment is
 * accepted.
 * @returns false, and nothing is reserved, when the stock is too low now
 */
export async function reserveStockAgain(tx: Tx, { outTradeNo }: LockedOrder): Promise<boolean> {
  const wanted = await tx.$queryRaw<{ sku: string; enough: boolean }[]>`
    SELECT p.sku, p.stock IS NULL OR p.stock - p.reserved >= r.quantity AS enough
    FROM products p JOIN stock_reservations r USING (sku)
    WHERE r.out_trade_no = ${outTradeNo} AND r.status = 'released'
    ORDER BY p.sku FOR NO KEY UPDATE OF p`;
  if (wanted.some(({ enough }) => !enough)) return false;
  await tx.$executeRaw`
    WITH again AS (
      UPDATE stock_reservations SET status = 'reserved'
      WHERE out_trade_no = ${outTradeNo} AND status = 'released' RETURNING sku, quantity
    )
    UPDATE products SET reserved = reserved + again.quantity FROM again
    WHERE products.sku = again.sku`;
  return true;
}
