/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Compares the counted sales with the orders: each violation opens an intervention.
import { shanghaiDay } from '../../../domain/orders/order-number';
import {
  expectIntervention,
  someOrder,
  someProduct,
  someRefund,
  startTestPatrol,
  type TestPatrol,
} from '../support/patrol';

const DAY_MS = 24 * 3_600_000;
const TODAY = shanghaiDay(Date.now() - 600_000);

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
});
beforeEach(async () => {
  await patrol.clear();
  await patrol.sql.query('TRUNCATE sales_statistics');
});
afterAll(() => patrol.end());

/** An order of 300 fen, paid so many days ago, whose effects were carried out. */
async function sold(daysAgo = 0): Promise<string> {
  const { sql, database } = patrol;
  const no = await someOrder(sql, { status: 'paid', user: `of-${String(Math.random())}` });
  await sql.query(
    `UPDATE orders SET paid_at = now() - interval '10 minutes' - $2 * interval '1 day'
     WHERE out_trade_no = $1`,
    [no, daysAgo],
  );
  // Three lines of two skus, whose parts of a refund have to be rounded.
  await sql.query(
    `INSERT INTO order_items (out_trade_no, line, sku, quantity, unit_price_fen, kind)
     VALUES ($1, 1, 'cup', 1, 101, 'physical'), ($1, 2, 'cup', 2, 33, 'physical'),
       ($1, 3, 'pen', 7, 19, 'physical')`,
    [no],
  );
  await database.effects.run(no, Date.now());
  return no;
}

/** The payer has this much of the order back, and it was taken off the sales. */
async function refunded(no: string, amountFen: number): Promise<void> {
  await someRefund(patrol.sql, no, { status: 'succeeded', amountFen });
  await patrol.sql.query(
    `UPDATE refunds SET succeeded_at = now() WHERE order_no = $1 AND succeeded_at IS NULL`,
    [no],
  );
  await patrol.database.effects.run(no, Date.now());
}

test('sales with refunds of any part, skipped sales and open orders are no violation', async () => {
  await someProduct(patrol.sql, 'cup', 0);
  await someProduct(patrol.sql, 'pen', 0);
  const parts = [[], [1], [100, 101], [299, 1], [300], [7, 7, 286]];
  for (const [daysAgo, amounts] of [...parts, ...parts].entries()) {
    const no = await sold(daysAgo % 4);
    for (const amount of amounts) await refunded(no, amount);
  }
  await patrol.sql.query(`UPDATE products SET created_at = now() - interval '9 days'`);
  const skipped = await someOrder(patrol.sql, { status: 'paid' });
  await patrol.sql.query(
    `UPDATE order_effects SET status = 'skipped' WHERE effect = 'sales' AND out_trade_no = $1`,
    [skipped],
  );
  for (let n = 0; n < 5; n += 1) {
    const day = shanghaiDay(Date.now() - 600_000 - (n - 1) * DAY_MS);
    expect(await patrol.invariants({ day, sku: '' })).toEqual({});
  }
  const { rows } = await patrol.sql.query<{ sold: number; counted: number; days: number }>(
    `SELECT sum(sold)::int AS sold, (SELECT sum(units)::int FROM sales_statistics) AS counted,
       (SELECT count(DISTINCT day)::int FROM sales_statistics) AS days FROM products`,
  );
  expect(rows).toEqual([
    { sold: rows[0]?.counted, counted: expect.any(Number) as number, days: 4 },
  ]);
});

const CUP = { units: 3, revenue_fen: 167, orders: 1 };
const NONE = { units: 0, revenue_fen: 0, orders: 0 };
const key = `${TODAY}:cup`;

test.each([
  ['a day’s row is gone', `DELETE FROM sales_statistics WHERE sku = 'cup'`, CUP, NONE],
  [
    'a day counts one unit less',
    `UPDATE sales_statistics SET units = units - 1 WHERE sku = 'cup'`,
    CUP,
    { ...CUP, units: 2 },
  ],
  [
    'a day has a row that no order has sold',
    `UPDATE order_items SET sku = 'pen' WHERE sku = 'cup';
     UPDATE sales_statistics SET units = 10, revenue_fen = 300 WHERE sku = 'pen'`,
    NONE,
    CUP,
  ],
])('%s: an intervention is opened', async (_what, change, expected, seen) => {
  await sold();
  await patrol.sql.query(change);
  await expectIntervention(patrol, 'sku:cup', 'sales_disagree', key, { expected, seen });
});

test('a refunded sale of an older day is not taken off: an intervention is opened', async () => {
  const no = await sold(3);
  await patrol.sql.query(`DELETE FROM order_items WHERE sku = 'pen'`);
  await patrol.sql.query(`DELETE FROM sales_statistics WHERE sku = 'pen'`);
  await patrol.sql.query(`UPDATE sales_statistics SET units = 3, revenue_fen = 300`);
  await patrol.sql.query(`UPDATE order_items SET unit_price_fen = 100`);
  await someRefund(patrol.sql, no, { status: 'succeeded', amountFen: 300 });
  await patrol.sql.query(`UPDATE order_effects SET status = 'done'`);
  await patrol.sql.query(`INSERT INTO points_entries (user_id, out_trade_no, effect, delta)
    SELECT user_id, out_trade_no, 'points_back', -3 FROM points_entries`);
  await patrol.sql.query('UPDATE points_balances SET balance = 0');
  const day = shanghaiDay(Date.now() - 600_000 - 3 * DAY_MS);
  await expectIntervention(patrol, 'sku:cup', 'sales_disagree', `${day}:cup`, {
    expected: NONE,
    seen: { units: 3, revenue_fen: 300, orders: 1 },
  });
});

test('the row of an order’s sales is gone: order and days are reported', async () => {
  const no = await sold();
  await patrol.sql.query(`DELETE FROM order_effects WHERE effect = 'sales'`);
  const { sales_disagree: found } = await patrol.invariants();
  expect(found).toMatchObject({ found: 3, opened: 3, sample: [no, 'sku:cup', 'sku:pen'] });
  expect(await patrol.open(no)).toEqual([
    {
      reason: 'invariant',
      subject: 'sales_disagree:effect',
      evidence: { expected: { sales: 1 }, seen: { sales: 0 } },
    },
  ]);
});

test('an order that is still paid has no row of sales: an intervention is opened', async () => {
  const no = await someOrder(patrol.sql, { status: 'paid' });
  await patrol.sql.query(`DELETE FROM order_effects WHERE effect = 'sales'`);
  await expectIntervention(patrol, no, 'sales_disagree', 'effect', {
    expected: { sales: 1 },
    seen: { sales: 0 },
  });
});

test('a product counts other sales than its days: an intervention is opened', async () => {
  await someProduct(patrol.sql, 'cup', 0);
  await patrol.sql.query(`UPDATE products SET created_at = now() - interval '1 day'`);
  await sold();
  await patrol.sql.query('UPDATE products SET sold = sold + 2');
  await expectIntervention(patrol, 'sku:cup', 'sales_disagree', 'cup', {
    expected: { sold: 3 },
    seen: { sold: 5 },
  });
});

test.each([0, 2])(
  'a product registered after it was sold, %i days ago, is left out',
  async (days) => {
    await sold(days);
    await someProduct(patrol.sql, 'cup', 0);
    await patrol.sql.query('UPDATE products SET sold = 1');
    expect(await patrol.invariants()).toEqual({});
  },
);

test('sales that are counted while the patrol adds them up are no violation', async () => {
  const ended: string[] = [];
  const sales = (async () => {
    for (let n = 0; n < 20; n += 1) await refunded(await sold(), 100);
    ended.push('all');
  })();
  let patrols = 0;
  for (; ended.length === 0; patrols += 1) {
    const { sales_disagree: found } = await patrol.invariants();
    expect(found).toBeUndefined();
  }
  await sales;
  expect(patrols).toBeGreaterThan(1);
  expect(await patrol.invariants()).toEqual({});
});
