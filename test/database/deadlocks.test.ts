/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Notices about two orders, applied at the same time: no transactions wait in a circle.
import { until } from '../support/until';
import { createTestMoney, type TestMoney } from './support/money';
import { startTestSharing, type TestSharing } from './support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

const ROUNDS = 60;

/** The deadlocks that PostgreSQL has ended, once the counts of all connections have arrived. */
async function deadlocks(): Promise<number> {
  const { rows } = await world.sql.query<{ deadlocks: number }>(
    `SELECT pg_stat_clear_snapshot(), deadlocks::int FROM pg_stat_database
     WHERE datname = current_database()`,
  );
  return rows[0]?.deadlocks ?? -1;
}

/** Applies all that waits for both numbers at once, until nothing waits. */
async function applyBoth(numbers: readonly string[]): Promise<string[]> {
  const failures: string[] = [];
  await Promise.all(
    numbers.map(async (no) => {
      for (let more = true; more;) {
        const applied = await money.again(no).catch((error: unknown) => error);
        if (applied instanceof Error) failures.push(applied.message);
        more = !(applied instanceof Error) && (applied as { more: boolean }).more;
      }
    }),
  );
  return failures;
}

test('two notices that name the refunds of each other’s orders cause no deadlock', async () => {
  const before = await deadlocks();
  const failures: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [a, b] = [await world.paidOrder(), await world.paidOrder()];
    await money.refunds(a, { outRefundNo: `of-${a}`, refundFen: 100 });
    await money.refunds(b, { outRefundNo: `of-${b}`, refundFen: 100 });
    await money.keep(a, 'refund', { outRefundNo: `of-${b}`, refundFen: 100 });
    await money.keep(b, 'refund', { outRefundNo: `of-${a}`, refundFen: 100 });
    failures.push(...(await applyBoth([a, b])));
    expect([await money.openReasons(a), await money.openReasons(b)]).toEqual([
      ['reconciliation'],
      ['reconciliation'],
    ]);
  }
  expect(failures).toEqual([]);
  expect(await deadlocks()).toBe(before);
}, 60_000);

test('notices of two orders that name the same two new refunds cause no deadlock', async () => {
  const before = await deadlocks();
  const failures: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [a, b] = [await world.paidOrder(), await world.paidOrder()];
    const numbers = [`x-${round}`, `y-${round}`];
    for (const outRefundNo of numbers)
      await money.keep(a, 'refund', { outRefundNo, refundFen: 10 });
    for (const outRefundNo of numbers.toReversed()) {
      await money.keep(b, 'refund', { outRefundNo, refundFen: 10 });
    }
    failures.push(...(await applyBoth([a, b])));
    const refunds = [...(await money.refundsOf(a)), ...(await money.refundsOf(b))];
    expect(refunds.map(({ out_refund_no: no }) => no).sort()).toEqual(numbers);
  }
  expect(failures).toEqual([]);
  expect(await deadlocks()).toBe(before);
}, 60_000);

test('a deadlock is seen by this count', async () => {
  const before = await deadlocks();
  const [a, b] = [await world.paidOrder(), await world.paidOrder()];
  const lock = 'SELECT 1 FROM orders WHERE out_trade_no = $1 FOR UPDATE';
  const [one, two] = [await world.sql.connect(), await world.sql.connect()];
  for (const client of [one, two]) await client.query('BEGIN');
  await one.query(lock, [a]);
  await two.query(lock, [b]);
  const ends = await Promise.allSettled([one.query(lock, [b]), two.query(lock, [a])]);
  expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  for (const client of [one, two]) {
    await client.query('ROLLBACK');
    client.release(true);
  }
  await until('the deadlock is counted', async () => ((await deadlocks()) > before ? true : null));
});
