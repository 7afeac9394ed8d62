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

test('fifty rows fit into one transaction; the run comes again for the rest', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  for (let n = 0; n < 51; n += 1) await money.keep(no, 'refund', { refundFen: 100 });
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
