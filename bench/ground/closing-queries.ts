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

/** Sums over all orders; the first three must be equal, and so on (see `checkOrders`). */
const SUMS = `SELECT
  (SELECT coalesce(sum(total_fen), 0)::text FROM orders) AS ordered,
  (SELECT coalesce(sum(total_fen), 0)::text FROM payment_transactions
    WHERE status = 'applied') AS paid,
  (SELECT coalesce(sum(revenue_fen), 0)::text FROM sales_statistics) AS sold,
  (SELECT count(*)::int FROM orders) AS orders,
  (SELECT coalesce(sum(quantity), 0)::int FROM order_items) AS units,
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

/**
 * Checks that each of `expected` orders was processed once and that the sums are equal.
 * @returns one sentence for each check that fails
 */
export async function checkOrders(sql: Pool, expected: number): Promise<string[]> {
  const problems: string[] = [];
  for (const [how, condition] of Object.entries(ORDERS_THAT_ARE_NOT)) {
    const { rows } = await sql.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM orders o WHERE (${condition}) IS NOT TRUE`,
    );
    const count = rows[0]?.count ?? Number.NaN;
    if (count !== 0) problems.push(`${count} orders are not ${how}`);
  }
  const [sums] = (await sql.query<Sums>(SUMS)).rows;
  const adds =
    sums?.orders === expected &&
    sums.ordered === sums.paid &&
    sums.ordered === sums.sold &&
    sums.units === sums.units_sold &&
    sums.units_reserved === 0 &&
    sums.unjudged === 0;
  if (!adds) problems.push(`the sums differ: ${JSON.stringify(sums)}, ${expected} orders expected`);
  return problems;
}
