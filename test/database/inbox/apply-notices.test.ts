/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The notices that wait in the inbox for one number are applied once, in the order they came.
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder } from '../support/patrol';
import { startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

/** Verdicts of a number's inbox rows, the oldest first. */
async function verdictsOf(no: string): Promise<(string | null)[]> {
  const { rows } = await world.sql.query<{ verdict: string | null }>(
    'SELECT verdict FROM notification_inbox WHERE out_trade_no = $1 ORDER BY received_at, id',
    [no],
  );
  return rows.map(({ verdict }) => verdict);
}

test('a row gets its verdict with what it changes, and is not applied again', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  expect(await money.pays(no)).toMatchObject({ applied: 1 });
  expect(await verdictsOf(no)).toEqual(['applied']);
  expect(await money.again(no)).toMatchObject({ applied: 0, conflicts: 0, more: false });
  expect(await money.statusOf(no)).toBe('paid');
});

test('the same payment again gets the verdict already_applied', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await money.pays(no);
  await money.pays(no);
  expect(await verdictsOf(no)).toEqual(['applied', 'already_applied']);
});

test('two workers that apply the same row at the same moment apply it once', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  await money.keep(no, 'refund', { refundFen: 100 });
  const both = await Promise.all([money.again(no), money.again(no)]);
  expect(both.map(({ applied }) => applied).sort()).toEqual([0, 1]);
  expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 100, status: 'succeeded' }]);
});

test('twenty rows fit into one transaction; the run comes again for the rest', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  for (let n = 0; n < 21; n += 1) await money.keep(no, 'refund', { refundFen: 100 });
  expect(await money.again(no)).toMatchObject({ applied: 1, more: true });
  expect(await verdictsOf(no)).toContain(null);
  expect(await money.again(no)).toMatchObject({ applied: 0, more: false });
  expect(await verdictsOf(no)).not.toContain(null);
  expect(await money.refundsOf(no)).toHaveLength(1);
});

test('rows of another number are left alone', async () => {
  const [one, other] = [await someOrder(world.sql), await someOrder(world.sql)];
  await money.keep(other, 'refund', { refundFen: 100 });
  expect(await money.again(one)).toMatchObject({ applied: 0 });
  expect(await verdictsOf(other)).toEqual([null]);
});

describe('a notice that can’t be booked', () => {
  // PostgreSQL can't store it, and no parser of ours lets it through.
  const BAD = { tradeType: 'NA\0TIVE' };

  async function interventionOf(no: string): Promise<Record<string, unknown>> {
    const { rows } = await world.sql.query<Record<string, unknown>>(
      `SELECT reason, evidence->>'why' AS why, evidence->>'sql_state' AS state
       FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
      [no],
    );
    expect(rows).toHaveLength(1);
    return rows[0] ?? {};
  }

  test('opens an intervention, and the good one behind it is applied', async () => {
    const no = await someOrder(world.sql, { status: 'awaiting_payment' });
    expect(await money.pays(no, BAD)).toMatchObject({ applied: 0, conflicts: 1 });
    expect(await interventionOf(no)).toMatchObject({
      reason: 'undeliverable',
      why: 'not_booked',
      state: '22021',
    });
    expect(await money.statusOf(no)).toBe('awaiting_payment');
    expect(await money.pays(no)).toMatchObject({ applied: 1 });
    expect([await money.statusOf(no), await verdictsOf(no)]).toEqual([
      'paid',
      ['conflict', 'applied'],
    ]);
  });

  test('holds no other of the same application, and leaves nothing of its own', async () => {
    const no = await someOrder(world.sql, { status: 'fulfilled' });
    await money.keep(no, 'refund', { refundFen: 100, outRefundNo: `a-${no}`, refundId: 'x\0' });
    await money.keep(no, 'refund', { refundFen: 50, outRefundNo: `b-${no}` });
    expect(await money.again(no)).toMatchObject({ applied: 1, conflicts: 1 });
    expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 50, status: 'succeeded' }]);
    expect(await money.heldOf(`tx-${no}`)).toBe(50);
    expect(await interventionOf(no)).toMatchObject({ reason: 'undeliverable' });
  });
});

test('a hundred and twenty refunds reported before their payment are all decided', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  for (let n = 0; n < 120; n += 1) {
    await money.keep(no, 'refund', { refundFen: 2, outRefundNo: `r${n}-${no}` });
  }
  while ((await money.again(no)).more);
  expect(new Set(await verdictsOf(no))).toEqual(new Set(['conflict']));
  let application = await money.pays(no);
  while (application.more) application = await money.again(no);
  const verdicts = await verdictsOf(no);
  expect(verdicts.filter((verdict) => verdict === 'applied')).toHaveLength(121);
  expect(await money.heldOf(`tx-${no}`)).toBe(240);
}, 120_000);
