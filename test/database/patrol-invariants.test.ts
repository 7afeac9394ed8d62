/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import type { PatrolKind, PatrolStart } from '../../domain/patrol';
import { ORDER_STATUSES } from '../../domain/order-state';
import {
  FROM_THE_START,
  someOrder,
  someRefund,
  someSharing,
  startTestPatrol,
  type TestPatrol,
} from './support/patrol';

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
});
beforeEach(() => patrol.clear());
afterAll(() => patrol.end());

async function product(sku: string, reserved: number): Promise<void> {
  await patrol.sql.query(
    `INSERT INTO products (sku, name, kind, stock, reserved) VALUES ($1, $1, 'physical', 100, $2)`,
    [sku, reserved],
  );
}

async function reservation(no: string, sku: string, quantity: number, status = 'reserved') {
  await patrol.sql.query(
    `INSERT INTO stock_reservations (out_trade_no, sku, quantity, status) VALUES ($1, $2, $3, $4)`,
    [no, sku, quantity, status],
  );
}

/** The question opened for a broken rule, and only that. */
async function expectQuestion(
  no: string,
  kind: PatrolKind,
  key: string,
  evidence: { expected: object; seen: object },
): Promise<void> {
  const findings = await patrol.invariants();
  expect(findings).toEqual({
    [kind]: { kind, found: 1, healed: 0, opened: 1, left: 0, sample: [no] },
  });
  // The run of an order that is ours shows the question.
  expect(patrol.woken.filter((told) => !told.startsWith(no))).toEqual([]);
  expect(await patrol.open(no)).toEqual([
    { reason: 'invariant', subject: `${kind}:${key}`, evidence },
  ]);
}

test('rows that agree in every status are found to be so', async () => {
  await product('a', 3);
  for (const status of ORDER_STATUSES) {
    const no = await someOrder(patrol.sql, { status, user: status });
    const held = status === 'created' || status === 'awaiting_payment' || status === 'paid';
    await reservation(no, 'a', 1, held ? 'reserved' : 'released');
    if (!['paid', 'fulfilled', 'paid_late'].includes(status)) continue;
    for (const refund of ['pending', 'processing', 'abnormal', 'succeeded', 'closed']) {
      await someRefund(patrol.sql, no, { status: refund, amountFen: 50 });
    }
  }
  // All of a late payment went back: nothing was ever done for it.
  const late = await someOrder(patrol.sql, { status: 'paid_late' });
  await someRefund(patrol.sql, late, { status: 'succeeded', amountFen: 300 });
  expect(await patrol.invariants()).toEqual({});
});

test.each([
  ['held more than its refunds say', 'held_fen = 200', { held: 200, refunded: 0 }],
  ['held less', 'held_fen = 99', { held: 99, refunded: 0 }],
  ['refunded what no refund says', 'refunded_fen = 50', { held: 100, refunded: 50 }],
])('a transaction that %s is asked about', async (_, change, seen) => {
  const no = await someOrder(patrol.sql);
  await someRefund(patrol.sql, no, { amountFen: 100 });
  await someRefund(patrol.sql, no, { amountFen: 70, status: 'closed' });
  await patrol.sql.query(`UPDATE payment_transactions SET ${change}`);
  await expectQuestion(no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 100, refunded: 0 },
    seen,
  });
});

test('a transaction that gave back more than was paid is asked about, if even the guards were gone', async () => {
  const no = await someOrder(patrol.sql);
  const { rows } = await patrol.sql.query<{ rule: string }>(
    `SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE conname = 'payment_transactions_held'`,
  );
  const change = (what: string) => patrol.sql.query(`ALTER TABLE payment_transactions ${what}`);
  await change('DROP CONSTRAINT payment_transactions_held');
  await someRefund(patrol.sql, no, { amountFen: 200, status: 'succeeded' });
  await someRefund(patrol.sql, no, { amountFen: 200, status: 'succeeded' });
  await expectQuestion(no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 400, refunded: 400 },
    seen: { held: 400, refunded: 400 },
  });
  await patrol.clear();
  await change(`ADD CONSTRAINT payment_transactions_held ${rows[0]?.rule ?? ''}`);
});

test.each([
  ['shared more than its receivers hold', 'shared_fen = 61', { shared: 61 }],
  ['shared less', 'shared_fen = 40', { shared: 40 }],
])('a transaction that %s is asked about', async (_, change, seen) => {
  const no = await someOrder(patrol.sql);
  await someSharing(patrol.sql, no, { amountFen: 60, result: 'SUCCESS', status: 'finished' });
  await someSharing(patrol.sql, no, { amountFen: 30, result: 'CLOSED', status: 'finished' });
  expect(await patrol.invariants()).toEqual({});
  await patrol.sql.query(`UPDATE payment_transactions SET ${change}`);
  await expectQuestion(no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 0, refunded: 0, shared: 60 },
    seen: { held: 0, refunded: 0, ...seen },
  });
});

test('what was refunded and shared is more than was paid, and nobody accepted that: asked about', async () => {
  const no = await someOrder(patrol.sql);
  await someSharing(patrol.sql, no, { amountFen: 60, result: 'SUCCESS', status: 'finished' });
  await someRefund(patrol.sql, no, { amountFen: 300, status: 'succeeded' });
  await expectQuestion(no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 300, refunded: 300, shared: 60 },
    seen: { held: 300, refunded: 300, shared: 60 },
  });
});

test('a transaction of a number that is not ours is found by its refund', async () => {
  await patrol.sql.query(`
    WITH t AS (INSERT INTO payment_transactions (id, merchant_id, transaction_id, out_trade_no,
        status, trade_state, total_fen, held_fen)
      VALUES (gen_random_uuid(), 'm', 'tx', 'foreign', 'rejected', 'SUCCESS', 10, 5) RETURNING id)
    INSERT INTO refunds (out_refund_no, out_trade_no, transaction_key, merchant_id, transaction_id,
      amount_fen, total_fen, currency, notify_url, origin, due_at)
    SELECT 'r', 'foreign', id, 'm', 'tx', 10, 10, 'CNY', 'n', 'resolution', now() FROM t`);
  await expectQuestion('foreign', 'transaction_overdrawn', 'tx', {
    expected: { total: 10, held: 10, refunded: 0 },
    seen: { held: 5, refunded: 0 },
  });
});

test.each(['paid', 'fulfilled', 'paid_late', 'refunded'])(
  'a %s order without its transaction is asked about',
  async (status) => {
    const no = await someOrder(patrol.sql, { status });
    await patrol.sql.query(`DELETE FROM refunds`);
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    await expectQuestion(no, 'status_without_transaction', 'applied', {
      expected: { status, applied: 1 },
      seen: { applied: 0 },
    });
  },
);

test.each(['created', 'awaiting_payment', 'closed'])(
  'a transaction applied to a %s order is asked about',
  async (status) => {
    const no = await someOrder(patrol.sql, { status: 'paid_late' });
    await patrol.sql.query(`UPDATE orders SET status = $1`, [status]);
    await expectQuestion(no, 'status_without_transaction', 'applied', {
      expected: { status, applied: 0 },
      seen: { applied: 1 },
    });
  },
);

test.each([
  ['refunded, and nothing is back', { status: 'refunded' }, 0],
  ['fulfilled, and all is back', { status: 'fulfilled', refunded_fen: 300 }, 300],
  ['paid_late, and all is back', { status: 'paid_late', refunded_fen: 300 }, 300],
  ['fulfilled, and says that more is back than is', { refunded_fen: 101 }, 100],
  ['fulfilled, and says that less is back', { refunded_fen: 99 }, 100],
  ['refunded, and says that less is back', { status: 'refunded', refunded_fen: 299 }, 300],
])('an order that is %s is asked about', async (_, change, backFen) => {
  const { status, refunded_fen: refundedFen } = { status: 'fulfilled', refunded_fen: 0, ...change };
  const no = await someOrder(patrol.sql, { status: status === 'paid_late' ? status : 'fulfilled' });
  if (backFen > 0) await someRefund(patrol.sql, no, { status: 'succeeded', amountFen: backFen });
  await patrol.sql.query(`UPDATE orders SET status = $1, refunded_fen = $2`, [status, refundedFen]);
  await expectQuestion(no, 'status_without_transaction', 'refunded', {
    expected: { paid: 300, refunded: backFen },
    seen: { status, refunded: refundedFen },
  });
});

test('what went back of a payment that is not the order’s does not count for the order', async () => {
  const no = await someOrder(patrol.sql);
  await someRefund(patrol.sql, no, { status: 'succeeded', amountFen: 100 });
  const second = await someOrder(patrol.sql, { status: 'paid_late', user: 'v' });
  await someRefund(patrol.sql, second, { status: 'succeeded', amountFen: 300 });
  await patrol.sql.query(`DELETE FROM order_status_history WHERE out_trade_no = $1`, [second]);
  await patrol.sql.query(
    `UPDATE payment_transactions SET status = 'surplus', order_no = $1, out_trade_no = $1
     WHERE order_no = $2`,
    [no, second],
  );
  await patrol.sql.query(`UPDATE refunds SET order_no = $1 WHERE order_no = $2`, [no, second]);
  await patrol.sql.query(`DELETE FROM orders WHERE out_trade_no = $1`, [second]);
  expect(await patrol.invariants()).toEqual({});
  // A number alone, without any payment.
  const unpaid = await someOrder(patrol.sql, { status: 'closed' });
  await patrol.sql.query(`UPDATE orders SET refunded_fen = 1 WHERE out_trade_no = $1`, [unpaid]);
  await expectQuestion(unpaid, 'status_without_transaction', 'refunded', {
    expected: { paid: 0, refunded: 0 },
    seen: { status: 'closed', refunded: 1 },
  });
});

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
])('a %s order after %s is asked about', async (status, change, seen) => {
  const no = await someOrder(patrol.sql, { status });
  await patrol.sql.query(change);
  const expected = { status };
  await expectQuestion(no, 'effects_disagree', 'status', { expected, seen });
});

test.each(['created', 'awaiting_payment', 'closed', 'paid_late'])(
  'a %s order with an effect that was done is asked about',
  async (status) => {
    const no = await someOrder(patrol.sql, { status });
    await patrol.sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, 'points', 'done')`,
      [no],
    );
    const seen = { points: 'done' };
    await expectQuestion(no, 'effects_disagree', 'status', { expected: { status }, seen });
  },
);

test.each([
  ['done without its entry', 'done', 'DELETE FROM points_entries', 0],
  ['pending with an entry', 'pending', 'SELECT 1', 1],
  ['skipped with an entry', 'skipped', 'SELECT 1', 1],
])('points that are %s are asked about', async (_, points, change, entries) => {
  const no = await someOrder(patrol.sql);
  await patrol.sql.query(`UPDATE order_effects SET status = $1 WHERE effect = 'points'`, [points]);
  await patrol.sql.query(change);
  if (entries === 0) await patrol.sql.query('UPDATE points_balances SET balance = 0');
  if (points === 'pending') await patrol.sql.query(`UPDATE orders SET status = 'paid'`);
  await expectQuestion(no, 'effects_disagree', 'points', {
    expected: { points },
    seen: { entries },
  });
});

test('points of a payment that earns none have no entry', async () => {
  await someOrder(patrol.sql);
  await patrol.sql.query('DELETE FROM points_entries');
  await patrol.sql.query('UPDATE points_balances SET balance = 0');
  await patrol.sql.query('UPDATE orders SET total_fen = 99');
  expect(await patrol.invariants()).toEqual({});
});

describe('what a refund takes back', () => {
  test('is asked about where a row is missing, and where one has no refund that is back', async () => {
    const no = await someOrder(patrol.sql);
    const back = await someRefund(patrol.sql, no, { status: 'succeeded' });
    const open = await someRefund(patrol.sql, no, { status: 'processing' });
    await patrol.sql.query(
      `UPDATE order_effects SET effect = 'points_back:' || $1 WHERE effect = 'points_back:' || $2`,
      [open, back],
    );
    await expectQuestion(no, 'effects_disagree', 'taken_back', {
      expected: { taken_back: [`points_back:${back}`] },
      seen: { taken_back: [`points_back:${open}`] },
    });
  });

  test('is goods only where the refund was asked for with them', async () => {
    const no = await someOrder(patrol.sql);
    await patrol.sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status)
       SELECT $1, effect, 'done' FROM unnest(ARRAY['stock', 'delivery']) AS effect`,
      [no],
    );
    const back = await someRefund(patrol.sql, no, { status: 'succeeded' });
    expect(await patrol.invariants()).toEqual({});
    await patrol.sql.query(`UPDATE refunds SET restock = true, revoke_codes = true`);
    await expectQuestion(no, 'effects_disagree', 'taken_back', {
      expected: { taken_back: [`delivery_back:${back}`, `stock_back:${back}`] },
      seen: { taken_back: [] },
    });
  });

  test.each(['pending', 'failed', 'skipped', 'done'])('may be %s', async (status) => {
    const no = await someOrder(patrol.sql, { status: 'refunded' });
    await patrol.sql.query(`UPDATE order_effects SET status = $1 WHERE effect LIKE '%\\_back:%'`, [
      status,
    ]);
    await patrol.sql.query(`UPDATE order_effects SET status = 'cancelled' WHERE effect = 'sales'`);
    expect(await patrol.invariants()).toEqual({});
    expect(await patrol.open(no)).toEqual([]);
  });
});

test('skipped and cancelled effects are in order', async () => {
  await someOrder(patrol.sql);
  await patrol.sql.query(`UPDATE order_effects SET status = 'skipped' WHERE effect = 'points'`);
  await patrol.sql.query(`UPDATE order_effects SET status = 'cancelled' WHERE effect = 'sales'`);
  await patrol.sql.query('DELETE FROM points_entries');
  await patrol.sql.query('UPDATE points_balances SET balance = 0');
  expect(await patrol.invariants()).toEqual({});
});

test('a balance that is not the sum of its entries is asked about on the first order of the user', async () => {
  const first = await someOrder(patrol.sql, { user: 'lucky' });
  await someOrder(patrol.sql, { user: 'lucky' });
  await patrol.sql.query('UPDATE points_balances SET balance = 9');
  await expectQuestion(first, 'effect_twice', 'points', {
    expected: { balance: 6 },
    seen: { balance: 9 },
  });
});

test('more codes than were ordered are asked about', async () => {
  await product('v', 0);
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
  await expectQuestion(no, 'effect_twice', 'codes:v', {
    expected: { codes: 1 },
    seen: { codes: 2 },
  });
});

test('a product that counts other reservations than there are is asked about under its sku', async () => {
  await product('a', 5);
  await reservation(await someOrder(patrol.sql, { status: 'awaiting_payment' }), 'a', 2);
  await expectQuestion('sku:a', 'stock_disagrees', 'a', {
    expected: { reserved: 2 },
    seen: { reserved: 5 },
  });
});

test('what a closed order still holds is given back', async () => {
  await product('a', 3);
  await product('b', 1);
  const no = await someOrder(patrol.sql, { status: 'closed' });
  await reservation(no, 'a', 2);
  await reservation(no, 'b', 1);
  await reservation(await someOrder(patrol.sql, { status: 'awaiting_payment' }), 'a', 1);
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
])('what a %s order still holds is given back, with its stock effect %s', async (status, stock) => {
  await product('a', 2);
  const no = await someOrder(patrol.sql, { status });
  await reservation(no, 'a', 2);
  if (stock !== null) {
    await patrol.sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, 'stock', $2)`,
      [no, stock],
    );
  }
  expect(await patrol.invariants()).toMatchObject({ reservation_leaked: { found: 1, healed: 1 } });
  const { rows } = await patrol.sql.query(`SELECT reserved FROM products`);
  expect(rows).toEqual([{ reserved: 0 }]);
  expect(await patrol.invariants()).toEqual({});
});

test.each([
  ['refunded', 'done'],
  ['fulfilled', 'done'],
  ['fulfilled', null],
])(
  'what a %s order holds is asked about with its stock effect %s: it left',
  async (status, stock) => {
    await product('a', 2);
    const no = await someOrder(patrol.sql, { status });
    await reservation(no, 'a', 2);
    if (stock !== null) {
      await patrol.sql.query(
        `INSERT INTO order_effects (out_trade_no, effect, status) VALUES ($1, 'stock', $2)`,
        [no, stock],
      );
    }
    await expectQuestion(no, 'reservation_leaked', 'a', {
      expected: { status, reserved: 0 },
      seen: { reserved: 2 },
    });
  },
);

test('what a closed order holds is asked about where the product disagrees: nothing is guessed', async () => {
  await product('a', 0);
  const no = await someOrder(patrol.sql, { status: 'closed' });
  await reservation(no, 'a', 2);
  expect(await patrol.invariants()).toMatchObject({
    reservation_leaked: { healed: 0, opened: 1 },
    stock_disagrees: { opened: 1 },
  });
  expect(await patrol.open(no)).toMatchObject([{ subject: 'reservation_leaked:a' }]);
});

describe('a question', () => {
  const KIND = 'status_without_transaction';
  const answer = (resolution: string) =>
    patrol.sql.query(`UPDATE interventions SET status = 'resolved', resolved_at = now(),
      resolution = '${resolution}'`);

  test('is asked once; dismissed, it comes back only when it has changed', async () => {
    const no = await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { opened: 1, left: 0 } });
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { opened: 0, left: 1 } });
    await answer('dismiss');
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { opened: 0, left: 1 } });
    await patrol.sql.query(`UPDATE orders SET status = 'fulfilled'`);
    await patrol.sql.query(`UPDATE order_effects SET status = 'skipped'`);
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { opened: 1, left: 0 } });
    expect(await patrol.open(no)).toHaveLength(1);
  });

  test('that was answered by a retry is asked again while nothing changed', async () => {
    await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    await patrol.invariants();
    await answer('retry');
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { opened: 1, left: 0 } });
  });

  test('has at most 50 of its kind in one patrol; the next one asks the others', async () => {
    for (let n = 0; n < 55; n += 1) await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { found: 55, opened: 50, left: 5 } });
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { found: 55, opened: 5, left: 50 } });
  });
});

describe('where the patrol stopped', () => {
  const steps = async () =>
    (await patrol.sql.query<{ id: string }>(`SELECT id FROM order_status_history ORDER BY id`))
      .rows;
  const at = (history: string, order: string): PatrolStart => ({
    ...FROM_THE_START,
    position: { history, order },
  });

  test('the next one goes on: changed orders by their last step, all orders by a slice', async () => {
    const old = await someOrder(patrol.sql, { status: 'paid' });
    const young = await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    const [first, last] = await steps();
    const { invariants } = patrol.database.patrol;
    const soon = () => Date.now() + 1_000;
    const changed = await invariants.check(at(first?.id ?? '', '99'), soon(), Date.now);
    expect(changed.findings).toMatchObject([{ sample: [young] }]);
    expect(changed.position).toEqual({ history: last?.id, order: '' });
    const passed = await invariants.check(at(last?.id ?? '', ''), soon(), Date.now);
    expect(passed.findings).toMatchObject([{ sample: [old, young] }]);
    const nothing = await invariants.check(at(last?.id ?? '', '99'), soon(), Date.now);
    expect(nothing.findings).toEqual([]);
  });

  test('an order with a refund that changed is looked at, wherever the slice is', async () => {
    const [old, young] = [await someOrder(patrol.sql), await someOrder(patrol.sql)];
    for (const no of [old, young]) await someRefund(patrol.sql, no, { status: 'succeeded' });
    await patrol.sql.query(
      `UPDATE refunds SET created_at = now() - interval '1 hour' WHERE out_trade_no = $1`,
      [old],
    );
    await patrol.sql.query(`UPDATE orders SET refunded_fen = 0`);
    const [, last] = await steps();
    const start = { ...at(last?.id ?? '', '99'), sinceMs: Date.now() - 600_000 };
    const { findings } = await patrol.activities.patrolInvariants(start);
    expect(findings).toMatchObject([{ kind: 'status_without_transaction', sample: [young] }]);
  });

  test('steps of the last moments wait for the next patrol, and all behind them', async () => {
    for (const age of ['5 minutes', '1 second', '5 minutes']) {
      const no = await someOrder(patrol.sql, { status: 'created' });
      await patrol.sql.query(
        `UPDATE order_status_history SET at = now() - $1::interval WHERE out_trade_no = $2`,
        [age, no],
      );
    }
    const [first, , last] = await steps();
    const run = async () =>
      (await patrol.activities.patrolInvariants(at('0', ''))).position.history;
    expect(await run()).toBe(first?.id);
    patrol.laterMs = 30_000;
    expect(await run()).toBe(last?.id);
  });
});
