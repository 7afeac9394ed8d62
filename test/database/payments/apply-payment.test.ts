/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// One reported payment changes its order, its transaction and the interventions as decided.
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

async function openReasons(no: string): Promise<string[]> {
  const { rows } = await world.sql.query<{ reason: string }>(
    `SELECT reason FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
    [no],
  );
  return rows.map(({ reason }) => reason);
}

async function transactionsOf(no: string): Promise<string[]> {
  const { rows } = await world.sql.query<{ status: string }>(
    'SELECT status FROM payment_transactions WHERE out_trade_no = $1 ORDER BY created_at',
    [no],
  );
  return rows.map(({ status }) => status);
}

test('a payment that fits makes the order paid, with its effects to do', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  expect(await money.pays(no)).toMatchObject({ applied: 1, conflicts: 0, more: false });
  expect(await money.statusOf(no)).toBe('paid');
  expect(await transactionsOf(no)).toEqual(['applied']);
  const { rows } = await world.sql.query<{ status: string }>(
    'SELECT status FROM order_effects WHERE out_trade_no = $1',
    [no],
  );
  expect(new Set(rows.map(({ status }) => status))).toEqual(new Set(['pending']));
});

test('the same payment under another notification id changes nothing', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await money.pays(no);
  expect(await money.pays(no)).toMatchObject({ applied: 0, conflicts: 0 });
  expect(await transactionsOf(no)).toEqual(['applied']);
});

test.each([
  ['amount', { totalFen: 299 }, 'amount_mismatch'],
  ['currency', { currency: 'USD' }, 'amount_mismatch'],
  ['app', { appId: 'other' }, 'identity_mismatch'],
])(
  'a payment of another %s leaves the order unpaid and opens an intervention',
  async (_of, changes, reason) => {
    const no = await someOrder(world.sql, { status: 'awaiting_payment' });
    await money.pays(no, changes);
    expect(await money.statusOf(no)).toBe('awaiting_payment');
    expect(await transactionsOf(no)).toEqual(['rejected']);
    expect(await openReasons(no)).toEqual([reason]);
  },
);

test('a second payment of a paid order is refunded whole, and the order stays paid', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  const applied = await money.pays(no, { transactionId: `second-${no}` });
  expect(await money.statusOf(no)).toBe('fulfilled');
  expect(await money.refundsOf(no)).toMatchObject([
    { origin: 'surplus_payment', amount_fen: 300, status: 'pending' },
  ]);
  expect(await money.heldOf(`second-${no}`)).toBe(300);
  expect(applied.refunds).toHaveLength(1);
});

test('a payment of a closed order makes it paid late and is refunded', async () => {
  const no = await someOrder(world.sql, { status: 'closed' });
  await money.pays(no);
  expect(await money.statusOf(no)).toBe('paid_late');
  expect(await money.refundsOf(no)).toMatchObject([{ origin: 'late_payment', amount_fen: 300 }]);
});

test('a payment of an unknown number opens an intervention, refunds nothing', async () => {
  const no = '2026010109999999999999';
  expect(await money.pays(no)).toMatchObject({ view: null });
  expect(await openReasons(no)).toEqual(['unknown_order']);
  expect(await money.refundsOf(no)).toEqual([]);
});
