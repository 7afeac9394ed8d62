// The closing queries: a run's numbers count only when its rows are complete and right.
import type { Pool } from 'pg';

/** Counts the rows of the callbacks that were stored. */
export async function countInbox(
  sql: Pool,
  table: 'floor_callbacks' | 'notification_inbox',
): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${table}`,
  );
  return rows[0]?.count ?? Number.NaN;
}

/** Each condition must hold for each order. The name completes the sentence "orders are not …". */
const ORDERS_THAT_ARE_NOT = {
  fulfilled: `status = 'fulfilled'`,
  'paid once, by the amount ordered': `(SELECT array_agg(total_fen) FROM payment_transactions t
    WHERE t.order_no = o.out_trade_no AND t.status = 'applied') = ARRAY[o.total_fen]`,
  'credited once': `(SELECT array_agg(delta) FROM points_entries p
    WHERE p.out_trade_no = o.out_trade_no) = ARRAY[o.total_fen / 100]`,
  'done with each effect': `(SELECT array_agg(effect || ' ' || status ORDER BY effect)
    FROM order_effects e WHERE e.out_trade_no = o.out_trade_no)
    = ARRAY['points done', 'sales done', 'stock done']`,
  'announced once for each event': `(SELECT array_agg(event || ' ' || kind || ' ' || status
      ORDER BY event, kind) FROM deliveries d WHERE d.out_trade_no = o.out_trade_no)
    = ARRAY['order.fulfilled webhook done', 'order.paid message done', 'order.paid webhook done']`,
  'applied in the inbox': `(SELECT array_agg(verdict) FROM notification_inbox n
    WHERE n.out_trade_no = o.out_trade_no) = ARRAY['applied']`,
  'without an intervention': `NOT EXISTS (SELECT 1 FROM interventions i
    WHERE i.out_trade_no = o.out_trade_no)`,
};

/** The same for an order that nobody has paid. */
const OPEN_ORDERS_THAT_ARE_NOT = {
  'waiting for their payment': `status = 'awaiting_payment'`,
  'without money': `NOT EXISTS (SELECT 1 FROM payment_transactions t
    WHERE t.order_no = o.out_trade_no)`,
  'without points': `NOT EXISTS (SELECT 1 FROM points_entries p
    WHERE p.out_trade_no = o.out_trade_no)`,
  'without notices': `NOT EXISTS (SELECT 1 FROM notification_inbox n
    WHERE n.out_trade_no = o.out_trade_no)`,
  'without an intervention': ORDERS_THAT_ARE_NOT['without an intervention'],
};

/**
 * Sums over all orders, and over the paid ones ($1, null for all); the first three must be equal,
 * and so on (see `checkOrders`).
 */
const SUMS = `SELECT
  (SELECT coalesce(sum(total_fen), 0)::text FROM orders
    WHERE $1::text[] IS NULL OR out_trade_no = ANY($1)) AS ordered,
  (SELECT coalesce(sum(total_fen), 0)::text FROM payment_transactions
    WHERE status = 'applied') AS paid,
  (SELECT coalesce(sum(revenue_fen), 0)::text FROM sales_statistics) AS sold,
  (SELECT count(*)::int FROM orders) AS orders,
  (SELECT coalesce(sum(quantity), 0)::int FROM order_items
    WHERE $1::text[] IS NULL OR out_trade_no = ANY($1)) AS units,
  (SELECT coalesce(sum(sold), 0)::int FROM products) AS units_sold,
  (SELECT coalesce(sum(reserved), 0)::int FROM products) AS units_reserved,
  (SELECT count(*)::int FROM notification_inbox WHERE verdict IS NULL) AS unjudged`;

interface Sums {
  readonly ordered: string;
  readonly paid: string;
  readonly sold: string;
  readonly orders: number;
  readonly units: number;
  readonly units_sold: number;
  readonly units_reserved: number;
  readonly unjudged: number;
}

async function countOrders(
  sql: Pool,
  condition: string,
  paid: readonly string[] | null,
): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM orders o WHERE ${condition}`,
    [paid],
  );
  return rows[0]?.count ?? Number.NaN;
}

/**
 * Checks that each of `expected` orders was processed once and that the sums are equal.
 * @param paid the numbers of the orders that were paid; null for all. The others must be open.
 * @returns one sentence for each check that fails
 */
export async function checkOrders(
  sql: Pool,
  expected: number,
  paid: readonly string[] | null = null,
): Promise<string[]> {
  const problems: string[] = [];
  const isPaid = '($1::text[] IS NULL OR o.out_trade_no = ANY($1))';
  for (const [how, condition] of Object.entries(ORDERS_THAT_ARE_NOT)) {
    const count = await countOrders(sql, `${isPaid} AND (${condition}) IS NOT TRUE`, paid);
    if (count !== 0) problems.push(`${count} orders are not ${how}`);
  }
  for (const [how, condition] of Object.entries(OPEN_ORDERS_THAT_ARE_NOT)) {
    const count = await countOrders(sql, `NOT ${isPaid} AND (${condition}) IS NOT TRUE`, paid);
    if (count !== 0) problems.push(`${count} orders that nobody paid are not ${how}`);
  }
  const [sums] = (await sql.query<Sums>(SUMS, [paid])).rows;
  const open = paid === null ? 0 : expected - paid.length;
  const adds =
    sums?.orders === expected &&
    sums.ordered === sums.paid &&
    sums.ordered === sums.sold &&
    sums.units === sums.units_sold &&
    sums.units_reserved === open &&
    sums.unjudged === 0;
  if (!adds) problems.push(`the sums differ: ${JSON.stringify(sums)}, ${expected} orders expected`);
  return problems;
}
