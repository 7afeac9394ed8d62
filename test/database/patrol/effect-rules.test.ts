/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the rules about effects: each violation opens an intervention.
import {
  expectIntervention,
  someOrder,
  someProduct,
  someRefund,
  someReservation,
  startTestPatrol,
  type TestPatrol,
} from '../support/patrol';

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
});
beforeEach(() => patrol.clear());
afterAll(() => patrol.end());

test.each([
  ['paid', 'DELETE FROM order_effects', {}],
  ['fulfilled', 'DELETE FROM order_effects', {}],
  [
    'fulfilled',
    `UPDATE order_effects SET status = 'failed' WHERE effect = 'sales'`,
    { points: 'done', sales: 'failed' },
  ],
  [
    'refunded',
    `UPDATE order_effects SET status = 'pending' WHERE effect = 'sales'`,
    { points: 'done', sales: 'pending' },
  ],
])('a %s order after %s: an intervention is opened', async (status, change, seen) => {
  const no = await someOrder(patrol.sql, { status });
  await patrol.sql.query(change);
  const expected = { status };
  await expectIntervention(patrol, no, 'effects_disagree', 'status', { expected, seen });
});

test.each(['created', 'awaiting_payment', 'closed', 'paid_late'])(
  'a %s order with a done effect: an intervention is opened',
  async (status) => {
    const no = await someOrder(patrol.sql, { status });
    await patrol.sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, 'points', 'done')`,
      [no],
    );
    const seen = { points: 'done' };
    await expectIntervention(patrol, no, 'effects_disagree', 'status', {
      expected: { status },
      seen,
    });
  },
);

test.each([
  ['done without its entry', 'done', 'DELETE FROM points_entries', 0],
  ['pending with an entry', 'pending', 'SELECT 1', 1],
  ['skipped with an entry', 'skipped', 'SELECT 1', 1],
])('points that are %s: an intervention is opened', async (_, points, change, entries) => {
  const no = await someOrder(patrol.sql);
  await patrol.sql.query(`UPDATE order_effects SET status = $1 WHERE effect = 'points'`, [points]);
  await patrol.sql.query(change);
  if (entries === 0) await patrol.sql.query('UPDATE points_balances SET balance = 0');
  if (points === 'pending') await patrol.sql.query(`UPDATE orders SET status = 'paid'`);
  await expectIntervention(patrol, no, 'effects_disagree', 'points', {
    expected: { points },
    seen: { entries },
  });
});

test('a payment too small for points has no points entry: no violation', async () => {
  await someOrder(patrol.sql);
  await patrol.sql.query('DELETE FROM points_entries');
  await patrol.sql.query('UPDATE points_balances SET balance = 0');
  await patrol.sql.query('UPDATE orders SET total_fen = 99');
  expect(await patrol.invariants()).toEqual({});
});

describe('compensations of a refund', () => {
  test('a compensation of a refund is missing: an intervention is opened', async () => {
    const no = await someOrder(patrol.sql);
    const back = await someRefund(patrol.sql, no, { status: 'succeeded' });
    await patrol.sql.query(`DELETE FROM order_effects WHERE effect LIKE 'points\\_back:%'`);
    await expectIntervention(patrol, no, 'effects_disagree', 'taken_back', {
      expected: { taken_back: [`points_back:${back}`] },
      seen: { taken_back: [] },
    });
  });

  test.each(['processing', 'closed'])(
    'a compensation exists while its refund is %s: an intervention is opened',
    async (status) => {
      const no = await someOrder(patrol.sql);
      const effect = `points_back:${await someRefund(patrol.sql, no, { status })}`;
      await patrol.sql.query(
        `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, $2, 'done')`,
        [no, effect],
      );
      await expectIntervention(patrol, no, 'effects_disagree', 'taken_back', {
        expected: { taken_back: [] },
        seen: { taken_back: [effect] },
      });
    },
  );

  test('goods are compensated only when the refund was requested with them', async () => {
    const no = await someOrder(patrol.sql);
    await patrol.sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status)
       SELECT $1, effect, 'done' FROM unnest(ARRAY['stock', 'delivery']) AS effect`,
      [no],
    );
    const back = await someRefund(patrol.sql, no, { status: 'succeeded' });
    expect(await patrol.invariants()).toEqual({});
    await patrol.sql.query(`UPDATE refunds SET restock = true, revoke_codes = true`);
    await expectIntervention(patrol, no, 'effects_disagree', 'taken_back', {
      expected: { taken_back: [`delivery_back:${back}`, `stock_back:${back}`] },
      seen: { taken_back: [] },
    });
  });

  test.each(['pending', 'failed', 'skipped', 'done'])(
    'a compensation that is %s is no violation',
    async (status) => {
      const no = await someOrder(patrol.sql, { status: 'refunded' });
      await patrol.sql.query(
        `UPDATE order_effects SET status = $1 WHERE effect LIKE '%\\_back:%'`,
        [status],
      );
      await patrol.sql.query(
        `UPDATE order_effects SET status = 'cancelled' WHERE effect = 'sales'`,
      );
      expect(await patrol.invariants()).toEqual({});
      expect(await patrol.open(no)).toEqual([]);
    },
  );
});

test('skipped and cancelled effects are no violation', async () => {
  await someOrder(patrol.sql);
  await patrol.sql.query(`UPDATE order_effects SET status = 'skipped' WHERE effect = 'points'`);
  await patrol.sql.query(`UPDATE order_effects SET status = 'cancelled' WHERE effect = 'sales'`);
  await patrol.sql.query('DELETE FROM points_entries');
  await patrol.sql.query('UPDATE points_balances SET balance = 0');
  expect(await patrol.invariants()).toEqual({});
});

test('a wrong points balance opens an intervention at the first order', async () => {
  const first = await someOrder(patrol.sql, { user: 'lucky' });
  await someOrder(patrol.sql, { user: 'lucky' });
  await patrol.sql.query('UPDATE points_balances SET balance = 9');
  await expectIntervention(patrol, first, 'effect_twice', 'points', {
    expected: { balance: 6 },
    seen: { balance: 9 },
  });
});

test('more codes were handed out than ordered: an intervention is opened', async () => {
  await someProduct(patrol.sql, 'v', 0);
  const no = await someOrder(patrol.sql);
  await patrol.sql.query(
    `INSERT INTO order_items (out_trade_no, line, sku, quantity, unit_price_fen, kind, pooled)
     VALUES ($1, 1, 'v', 1, 300, 'virtual', true)`,
    [no],
  );
  await patrol.sql.query(
    `INSERT INTO product_codes (id, sku, code_encrypted, code_hash, out_trade_no, delivered_at)
     SELECT gen_random_uuid(), 'v', 'e', n::text, $1, now() FROM generate_series(1, 2) n`,
    [no],
  );
  await expectIntervention(patrol, no, 'effect_twice', 'codes:v', {
    expected: { codes: 1 },
    seen: { codes: 2 },
  });
});

test("a product's reserved count is wrong: an intervention is opened under its sku", async () => {
  await someProduct(patrol.sql, 'a', 5);
  await someReservation(
    patrol.sql,
    await someOrder(patrol.sql, { status: 'awaiting_payment' }),
    'a',
    2,
  );
  await expectIntervention(patrol, 'sku:a', 'stock_disagrees', 'a', {
    expected: { reserved: 2 },
    seen: { reserved: 5 },
  });
});

test('a closed order still holds stock: the patrol releases it', async () => {
  await someProduct(patrol.sql, 'a', 3);
  await someProduct(patrol.sql, 'b', 1);
  const no = await someOrder(patrol.sql, { status: 'closed' });
  await someReservation(patrol.sql, no, 'a', 2);
  await someReservation(patrol.sql, no, 'b', 1);
  await someReservation(
    patrol.sql,
    await someOrder(patrol.sql, { status: 'awaiting_payment' }),
    'a',
    1,
  );
  expect(await patrol.invariants()).toEqual({
    reservation_leaked: {
      kind: 'reservation_leaked',
      found: 2,
      healed: 2,
      opened: 0,
      left: 0,
      sample: [no],
    },
  });
  const { rows } = await patrol.sql.query(`SELECT sku, reserved FROM products ORDER BY sku`);
  expect(rows).toEqual([
    { sku: 'a', reserved: 1 },
    { sku: 'b', reserved: 0 },
  ]);
  expect(await patrol.invariants()).toEqual({});
});

test.each([
  ['paid_late', null],
  ['refunded', null],
  ['refunded', 'cancelled'],
  ['fulfilled', 'skipped'],
])(
  'a %s order still holds stock, its stock effect is %s: the patrol releases it',
  async (status, stock) => {
    await someProduct(patrol.sql, 'a', 2);
    const no = await someOrder(patrol.sql, { status });
    await someReservation(patrol.sql, no, 'a', 2);
    if (stock !== null) {
      await patrol.sql.query(
        `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, 'stock', $2)`,
        [no, stock],
      );
    }
    expect(await patrol.invariants()).toMatchObject({
      reservation_leaked: { found: 1, healed: 1 },
    });
    const { rows } = await patrol.sql.query(`SELECT reserved FROM products`);
    expect(rows).toEqual([{ reserved: 0 }]);
    expect(await patrol.invariants()).toEqual({});
  },
);

test.each([
  ['refunded', 'done'],
  ['fulfilled', 'done'],
  ['fulfilled', null],
])(
  'a %s order holds stock, but its stock effect is %s: an intervention is opened',
  async (status, stock) => {
    await someProduct(patrol.sql, 'a', 2);
    const no = await someOrder(patrol.sql, { status });
    await someReservation(patrol.sql, no, 'a', 2);
    if (stock !== null) {
      await patrol.sql.query(
        `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, 'stock', $2)`,
        [no, stock],
      );
    }
    await expectIntervention(patrol, no, 'reservation_leaked', 'a', {
      expected: { status, reserved: 0 },
      seen: { reserved: 2 },
    });
  },
);

test('a closed order holds stock and the counts differ: an intervention is opened', async () => {
  await someProduct(patrol.sql, 'a', 0);
  const no = await someOrder(patrol.sql, { status: 'closed' });
  await someReservation(patrol.sql, no, 'a', 2);
  expect(await patrol.invariants()).toMatchObject({
    reservation_leaked: { healed: 0, opened: 1 },
    stock_disagrees: { opened: 1 },
  });
  expect(await patrol.open(no)).toMatchObject([{ subject: 'reservation_leaked:a' }]);
});
