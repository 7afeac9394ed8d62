/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the invariants of orders and payments: each violation opens an intervention.
import type { PatrolStart } from '../../../domain/patrol/findings';
import { ORDER_STATUSES } from '../../../domain/orders/order-state';
import { until } from '../../support/until';
import {
  expectIntervention,
  FROM_THE_START,
  someOrder,
  someProduct,
  someRefund,
  someReservation,
  someSharing,
  startTestPatrol,
  type TestPatrol,
} from '../support/patrol';

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
});
beforeEach(() => patrol.clear());
afterAll(() => patrol.end());

test('orders in all statuses with consistent rows: no violation is found', async () => {
  await someProduct(patrol.sql, 'a', 3);
  for (const status of ORDER_STATUSES) {
    const no = await someOrder(patrol.sql, { status, user: status });
    const held = status === 'created' || status === 'awaiting_payment' || status === 'paid';
    await someReservation(patrol.sql, no, 'a', 1, held ? 'reserved' : 'released');
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
  ['holds more than its refunds', 'held_fen = 200', { held: 200, refunded: 0 }],
  ['holds less than its refunds', 'held_fen = 99', { held: 99, refunded: 0 }],
  ['counts a refund that does not exist', 'refunded_fen = 50', { held: 100, refunded: 50 }],
])('a payment that %s: an intervention is opened', async (_, change, seen) => {
  const no = await someOrder(patrol.sql);
  await someRefund(patrol.sql, no, { amountFen: 100 });
  await someRefund(patrol.sql, no, { amountFen: 70, status: 'closed' });
  await patrol.sql.query(`UPDATE payment_transactions SET ${change}`);
  await expectIntervention(patrol, no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 100, refunded: 0 },
    seen,
  });
});

test('more was refunded than paid, without the guards: an intervention is opened', async () => {
  const no = await someOrder(patrol.sql);
  const { rows } = await patrol.sql.query<{ rule: string }>(
    `SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint
     WHERE conname = 'payment_transactions_held'`,
  );
  const change = (what: string) => patrol.sql.query(`ALTER TABLE payment_transactions ${what}`);
  await change('DROP CONSTRAINT payment_transactions_held');
  await someRefund(patrol.sql, no, { amountFen: 200, status: 'succeeded' });
  await someRefund(patrol.sql, no, { amountFen: 200, status: 'succeeded' });
  await expectIntervention(patrol, no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 300, refunded: 400 },
    seen: { held: 400, refunded: 400 },
  });
  await patrol.clear();
  await change(`ADD CONSTRAINT payment_transactions_held ${rows[0]?.rule ?? ''}`);
});

test.each([
  ['counts more shared money than its receivers', 'shared_fen = 61', { shared: 61 }],
  ['counts less shared money than its receivers', 'shared_fen = 40', { shared: 40 }],
])('a payment that %s: an intervention is opened', async (_, change, seen) => {
  const no = await someOrder(patrol.sql);
  await someSharing(patrol.sql, no, { amountFen: 60, result: 'SUCCESS', status: 'finished' });
  await someSharing(patrol.sql, no, { amountFen: 30, result: 'CLOSED', status: 'finished' });
  expect(await patrol.invariants()).toEqual({});
  await patrol.sql.query(`UPDATE payment_transactions SET ${change}`);
  await expectIntervention(patrol, no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 0, refunded: 0, shared: 60 },
    seen: { held: 0, refunded: 0, ...seen },
  });
});

test('more was refunded and shared than paid: an intervention is opened', async () => {
  const no = await someOrder(patrol.sql);
  await someSharing(patrol.sql, no, { amountFen: 60, result: 'SUCCESS', status: 'finished' });
  await someRefund(patrol.sql, no, { amountFen: 300, status: 'succeeded' });
  await expectIntervention(patrol, no, 'transaction_overdrawn', `tx-${no}`, {
    expected: { total: 300, held: 300, refunded: 300, shared: 60 },
    seen: { held: 300, refunded: 300, shared: 60 },
  });
});

test('a payment of an unknown order is wrong: the patrol finds it by its refund', async () => {
  await patrol.sql.query(`
    WITH t AS (INSERT INTO payment_transactions (id, merchant_id, transaction_id, out_trade_no,
        status, trade_state, total_fen, held_fen)
      VALUES (gen_random_uuid(), 'm', 'tx', 'foreign', 'rejected', 'SUCCESS', 10, 5) RETURNING id)
    INSERT INTO refunds (out_refund_no, out_trade_no, transaction_key, merchant_id, transaction_id,
      amount_fen, total_fen, currency, notify_url, origin, due_at)
    SELECT 'r', 'foreign', id, 'm', 'tx', 10, 10, 'CNY', 'n', 'resolution', now() FROM t`);
  await expectIntervention(patrol, 'foreign', 'transaction_overdrawn', 'tx', {
    expected: { total: 10, held: 10, refunded: 0 },
    seen: { held: 5, refunded: 0 },
  });
});

test.each(['paid', 'fulfilled', 'paid_late', 'refunded'])(
  'a %s order without its payment: an intervention is opened',
  async (status) => {
    const no = await someOrder(patrol.sql, { status });
    await patrol.sql.query(`DELETE FROM refunds`);
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    await expectIntervention(patrol, no, 'status_without_transaction', 'applied', {
      expected: { status, applied: 1 },
      seen: { applied: 0 },
    });
  },
);

test.each(['created', 'awaiting_payment', 'closed'])(
  'a payment applied to a %s order: an intervention is opened',
  async (status) => {
    const no = await someOrder(patrol.sql, { status: 'paid_late' });
    await patrol.sql.query(`UPDATE orders SET status = $1`, [status]);
    await expectIntervention(patrol, no, 'status_without_transaction', 'applied', {
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
])('an order that is %s: an intervention is opened', async (_, change, backFen) => {
  const { status, refunded_fen: refundedFen } = { status: 'fulfilled', refunded_fen: 0, ...change };
  const no = await someOrder(patrol.sql, { status: status === 'paid_late' ? status : 'fulfilled' });
  if (backFen > 0) await someRefund(patrol.sql, no, { status: 'succeeded', amountFen: backFen });
  await patrol.sql.query(`UPDATE orders SET status = $1, refunded_fen = $2`, [status, refundedFen]);
  await expectIntervention(patrol, no, 'status_without_transaction', 'refunded', {
    expected: { paid: 300, refunded: backFen },
    seen: { status, refunded: refundedFen },
  });
});

test('a refund of a surplus payment does not count for the order', async () => {
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
  await expectIntervention(patrol, unpaid, 'status_without_transaction', 'refunded', {
    expected: { paid: 0, refunded: 0 },
    seen: { status: 'closed', refunded: 1 },
  });
});

describe('interventions about violations', () => {
  const KIND = 'status_without_transaction';
  const answer = (resolution: string) =>
    patrol.sql.query(`UPDATE interventions SET status = 'resolved', resolved_at = now(),
      resolution = '${resolution}'`);

  test('a dismissed violation opens an intervention again only when it has changed', async () => {
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

  test('a violation is dismissed during a patrol: no new intervention is opened', async () => {
    await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    await patrol.invariants();
    const person = await patrol.sql.connect();
    try {
      await person.query('BEGIN');
      await person.query(`UPDATE interventions SET status = 'resolved', resolved_at = now(),
        resolution = 'dismiss'`);
      let hasLooked = false;
      const looks = patrol.invariants().finally(() => {
        hasLooked = true;
      });
      await until('the patrol has looked, or waits for the person', async () => {
        const { rowCount } = await patrol.sql.query(`SELECT 1 FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'`);
        return hasLooked || rowCount === 1 ? true : null;
      });
      await person.query('COMMIT');
      expect(await looks).toMatchObject({ [KIND]: { opened: 0, left: 1 } });
    } finally {
      person.release();
    }
  });

  test('a violation resolved by retry is unchanged: an intervention is opened again', async () => {
    await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    await patrol.invariants();
    await answer('retry');
    expect(await patrol.invariants()).toMatchObject({ [KIND]: { opened: 1, left: 0 } });
  });

  test('many violations of one kind: each patrol opens at most 50 interventions', async () => {
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

  test('the next patrol continues after the last history row and the last slice', async () => {
    const old = await someOrder(patrol.sql, { status: 'paid' });
    const young = await someOrder(patrol.sql, { status: 'paid' });
    await patrol.sql.query(`DELETE FROM payment_transactions`);
    const [first, last] = await steps();
    const { invariants } = patrol.database.patrol;
    const soon = () => Date.now() + 1_000;
    const changed = await invariants.check(at(first?.id ?? '', '99'), soon(), Date.now);
    expect(changed.findings).toMatchObject([{ sample: [young] }]);
    expect(changed.position).toMatchObject({ history: last?.id, order: '' });
    const passed = await invariants.check(at(last?.id ?? '', ''), soon(), Date.now);
    expect(passed.findings).toMatchObject([{ sample: [old, young] }]);
    const nothing = await invariants.check(at(last?.id ?? '', '99'), soon(), Date.now);
    expect(nothing.findings).toEqual([]);
  });

  test('an order with a changed refund is checked, wherever the slice is', async () => {
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

  test('very new history rows, and all behind them, wait for the next patrol', async () => {
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
