// Checks the counted sales of days and products against the effects of their orders.
import { proportion, proportions } from '../../domain/money';
import { compensationOf } from '../../domain/fulfilment/effects';
import type { SalesPosition } from '../../domain/patrol/findings';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';
import { MAX_VIOLATIONS, row, type OrderCheck, type Violation } from './violation';

/** Orders whose sales one statement adds up. */
const STEP = 1_000;
/** Steps of one day: a day with more orders than these is not compared. */
const MAX_STEPS = 300;
/** Products compared in one patrol. */
const PRODUCTS = 50;
/** Statistics rows added up for one product, one a day. A product with more is left out. */
const MAX_DAYS = 5_000;
/** Later than every day of the statistics. */
const AFTER_ALL_DAYS = '99999999';
const DAY_MS = 24 * 3_600_000;

type Client = DatabaseContext['prisma'];

/** Net sales of one sku on one day. */
interface Sales {
  readonly units: number;
  readonly revenueFen: number;
  readonly orders: number;
}
const NO_SALES: Sales = { units: 0, revenueFen: 0, orders: 0 };

/**
 * A paid order has a row for its sales from the payment on. An order without any effect is
 * `effects_disagree`.
 */
export const SALES_CHECKS: readonly OrderCheck[] = [
  (numbers) => Prisma.sql`
    SELECT o.out_trade_no AS "outTradeNo", true AS ours, ${row(
      'sales_disagree',
      Prisma.sql`'effect'`,
      Prisma.sql`jsonb_build_object('sales', 1)`,
      Prisma.sql`jsonb_build_object('sales', 0)`,
    )}
    FROM orders o CROSS JOIN LATERAL (
      SELECT count(*) AS rows, coalesce(bool_or(effect = 'sales'), false) AS has_sales
      FROM order_effects WHERE out_trade_no = o.out_trade_no
    ) e
    WHERE o.out_trade_no = ANY(${numbers}) AND o.status IN ('paid', 'fulfilled', 'refunded')
      AND e.rows > 0 AND NOT e.has_sales
    LIMIT ${MAX_VIOLATIONS}`,
];

/**
 * Compares the newest day with sales, the next older day of the slow pass over all days, and some
 * products. The cost is that of two days, however many there were.
 * @param from where the last patrol stopped; undefined before the first one
 * @param hasTime false after the deadline: a day that is not added up by then is left out
 */
export async function checkSales(
  { prisma }: DatabaseContext,
  from: SalesPosition | undefined,
  hasTime: () => boolean,
): Promise<{ readonly broken: Violation[]; readonly position: SalesPosition }> {
  const newest = await dayBefore(prisma, AFTER_ALL_DAYS);
  const older = await dayBefore(prisma, from?.day || newest || AFTER_ALL_DAYS);
  const broken: Violation[] = [];
  for (const day of [newest, older]) {
    if (day !== null) broken.push(...(await checkDay(prisma, day, hasTime)));
  }
  const skus = await nextSkus(prisma, from?.sku ?? '');
  if (skus.length > 0) broken.push(...(await checkProducts(prisma, skus)));
  const sku = skus.length < PRODUCTS ? '' : (skus.at(-1) ?? '');
  return { broken, position: { day: older ?? '', sku } };
}

/** The last day before `day` that has statistics or paid orders; null when there is none. */
async function dayBefore(prisma: Client, day: string): Promise<string | null> {
  const end = day === AFTER_ALL_DAYS ? Prisma.sql`'infinity'` : Prisma.sql`${startOf(day)}`;
  const [found] = await prisma.$queryRaw<{ day: string | null }[]>`
    SELECT greatest((SELECT max(day) FROM sales_statistics WHERE day < ${day}),
      to_char((SELECT max(paid_at) FROM orders WHERE paid_at < ${end}::timestamptz)
        AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')) AS day`;
  return found?.day ?? null;
}

/** The first moment of a day in Shanghai, `yyyymmdd`. */
function startOf(day: string): Date {
  const [year, month, date] = [day.slice(0, 4), day.slice(4, 6), day.slice(6)];
  return new Date(`${year}-${month}-${date}T00:00:00+08:00`);
}

/**
 * Compares the statistics of one day with the orders that were paid on it. The orders are added up
 * in steps, and work goes on meanwhile: only rows that nobody has written since the first step are
 * compared. An effect changes both in one transaction.
 */
async function checkDay(prisma: Client, day: string, hasTime: () => boolean): Promise<Violation[]> {
  const before = await statisticsOf(prisma, day);
  const sums = await salesOfOrders(prisma, day, hasTime);
  if (sums === null) return [];
  const after = await statisticsOf(prisma, day);
  const broken: Violation[] = [];
  for (const sku of new Set([...after.keys(), ...sums.keys()])) {
    const counted = after.get(sku);
    const expected = evidenceOf(sums.get(sku) ?? NO_SALES);
    const seen = evidenceOf(counted ?? NO_SALES);
    const isSettled = counted?.version === before.get(sku)?.version;
    if (!isSettled || JSON.stringify(expected) === JSON.stringify(seen)) continue;
    const key = `${day}:${sku}`;
    const kind = 'sales_disagree';
    broken.push({ kind, key, outTradeNo: `sku:${sku}`, ours: false, expected, seen });
    if (broken.length === MAX_VIOLATIONS) break;
  }
  return broken;
}

const evidenceOf = ({ units, revenueFen, orders }: Sales) => ({
  units,
  revenue_fen: revenueFen,
  orders,
});

/** The statistics of a day by sku. The version changes with each update of the row. */
async function statisticsOf(
  prisma: Client,
  day: string,
): Promise<Map<string, Sales & { readonly version: string }>> {
  const rows = await prisma.$queryRaw<(Sales & { sku: string; version: string })[]>`
    SELECT sku, units::float8 AS units, revenue_fen::float8 AS "revenueFen",
      orders::float8 AS orders, xmin::text AS version
    FROM sales_statistics WHERE day = ${day}`;
  return new Map(rows.map((one) => [one.sku, one]));
}

interface OrderSales {
  readonly no: string;
  readonly paidAt: Date;
  /** By line of `skus`. */
  readonly skus: readonly string[] | null;
  readonly units: readonly number[] | null;
  readonly revenue: readonly number[] | null;
  /** Refunded and taken off the sales, and the payment's total. */
  readonly backFen: number;
  readonly paidFen: number | null;
}

/** @returns null when time or steps do not suffice for the day */
async function salesOfOrders(
  prisma: Client,
  day: string,
  hasTime: () => boolean,
): Promise<Map<string, Sales> | null> {
  const sums = new Map<string, Sales>();
  let [after, no] = [startOf(day), ''];
  const end = new Date(after.getTime() + DAY_MS);
  for (let n = 0; n < MAX_STEPS && hasTime(); n += 1) {
    const orders = await prisma.$queryRaw<OrderSales[]>(step({ after, no, end }));
    for (const order of orders) addSales(sums, order);
    const last = orders.at(-1);
    if (!last || orders.length < STEP) return sums;
    [after, no] = [last.paidAt, last.no];
  }
  return null;
}

/** The next orders of a day with what their effects count: nothing while `sales` is not done. */
function step(from: { readonly after: Date; readonly no: string; readonly end: Date }): Prisma.Sql {
  const back = compensationOf('sales', '');
  return Prisma.sql`
    SELECT o.out_trade_no AS no, o.paid_at AS "paidAt", i.skus, i.units, i.revenue,
      b.fen AS "backFen", b.paid AS "paidFen"
    FROM (
      SELECT out_trade_no, paid_at FROM orders
      WHERE paid_at < ${from.end} AND (paid_at, out_trade_no) > (${from.after}, ${from.no})
      ORDER BY paid_at, out_trade_no LIMIT ${STEP}
    ) o CROSS JOIN LATERAL (
      SELECT array_agg(l.sku ORDER BY l.sku) AS skus, array_agg(l.units ORDER BY l.sku) AS units,
        array_agg(l.revenue ORDER BY l.sku) AS revenue
      FROM (
        SELECT sku, sum(quantity)::float8 AS units,
          sum(quantity::bigint * unit_price_fen)::float8 AS revenue
        FROM order_items WHERE out_trade_no = o.out_trade_no AND EXISTS (
          SELECT 1 FROM order_effects
          WHERE out_trade_no = o.out_trade_no AND effect = 'sales' AND status = 'done')
        GROUP BY sku
      ) l
    ) i CROSS JOIN LATERAL (
      SELECT coalesce(sum(r.amount_fen), 0)::float8 AS fen, max(r.total_fen)::float8 AS paid
      FROM order_effects e CROSS JOIN LATERAL (
        SELECT x.amount_fen, t.total_fen FROM refunds x
        JOIN payment_transactions t ON t.id = x.transaction_key
        WHERE x.out_refund_no = substr(e.effect, ${back.length + 1}) LIMIT 1
      ) r
      WHERE e.out_trade_no = o.out_trade_no AND e.status = 'done'
        AND starts_with(e.effect, ${back})
    ) b
    ORDER BY o.paid_at, o.out_trade_no`;
}

/** Adds what an order counts, by the rule of fulfilment/compensate-effects. */
function addSales(sums: Map<string, Sales>, { skus, backFen, paidFen, ...lines }: OrderSales) {
  if (skus === null || lines.units === null || lines.revenue === null) return;
  const { units, revenue } = lines;
  const revenueBack = paidFen ? proportions(revenue, backFen, paidFen) : [];
  const isBack = paidFen !== null && backFen >= paidFen;
  for (const [n, sku] of skus.entries()) {
    const sold = units[n] ?? 0;
    const before = sums.get(sku) ?? NO_SALES;
    sums.set(sku, {
      units: before.units + sold - (paidFen ? proportion(sold, backFen, paidFen) : 0),
      revenueFen: before.revenueFen + (revenue[n] ?? 0) - (revenueBack[n] ?? 0),
      orders: before.orders + (isBack ? 0 : 1),
    });
  }
}

async function nextSkus(prisma: Client, after: string): Promise<string[]> {
  const rows = await prisma.product.findMany({
    where: { sku: { gt: after } },
    select: { sku: true },
    orderBy: { sku: 'asc' },
    take: PRODUCTS,
  });
  return rows.map(({ sku }) => sku);
}

/**
 * Compares `products.sold` with the days of the statistics. Products that were sold before they had
 * their row are left out: those sales are in the statistics alone.
 */
async function checkProducts(prisma: Client, skus: string[]): Promise<Violation[]> {
  const key = Prisma.sql`p.sku`;
  const expected = Prisma.sql`jsonb_build_object('sold', s.units)`;
  const seen = Prisma.sql`jsonb_build_object('sold', p.sold)`;
  const day = Prisma.sql`to_char(p.created_at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')`;
  return prisma.$queryRaw<Violation[]>`
    SELECT 'sku:' || p.sku AS "outTradeNo", false AS ours,
      ${row('sales_disagree', key, expected, seen)}
    FROM products p CROSS JOIN LATERAL (
      SELECT coalesce(sum(x.units), 0)::bigint AS units, min(x.day) AS first, count(*) AS days
      FROM (SELECT units, day FROM sales_statistics d WHERE d.sku = p.sku
        ORDER BY d.day LIMIT ${MAX_DAYS + 1}) x
    ) s
    WHERE p.sku = ANY(${skus}) AND p.sold <> s.units AND s.days <= ${MAX_DAYS}
      AND (s.first IS NULL OR s.first >= ${day})
      AND NOT EXISTS (
        SELECT 1 FROM orders o CROSS JOIN LATERAL (
          SELECT 1 FROM order_items i WHERE i.out_trade_no = o.out_trade_no AND i.sku = p.sku
          LIMIT 1
        ) i
        WHERE o.paid_at < p.created_at
          AND o.paid_at >= date_trunc('day', p.created_at, 'Asia/Shanghai'))
    ORDER BY p.sku LIMIT ${MAX_VIOLATIONS}`;
}
