/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Refunds that are held at once: the payment's lock keeps them within what was paid.
import { until } from '../../support/until';
import { fen } from '../../../domain/money';
import { holdRefund, PrismaClient, PrismaPg } from '../support/built';
import { someOrder, startTestPatrol, type TestPatrol } from '../support/patrol';

let patrol: TestPatrol;
let prisma: InstanceType<typeof PrismaClient>;
beforeAll(async () => {
  patrol = await startTestPatrol();
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: patrol.url }) });
});
afterAll(async () => {
  await prisma.$disconnect();
  await patrol.end();
});

/** Sessions of this database that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await patrol.sql.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0]?.n ?? 0;
}

test('refunds that are held at once, without an order’s lock, fit the payment', async () => {
  const no = await someOrder(patrol.sql);
  const { rows } = await patrol.sql.query<{ id: string }>(
    `SELECT id FROM payment_transactions WHERE order_no = $1`,
    [no],
  );
  const transactionKey = rows[0]?.id ?? '';
  // All of them have begun before the first one can read how much is left.
  const first = await patrol.sql.connect();
  await first.query('BEGIN');
  await first.query(`SELECT 1 FROM payment_transactions WHERE id = $1 FOR NO KEY UPDATE`, [
    transactionKey,
  ]);
  const holds = [1, 2, 3, 4].map((n) =>
    prisma.$transaction((tx) =>
      holdRefund(tx, {
        outRefundNo: `${no}-${n}`,
        outTradeNo: no,
        transactionKey,
        origin: 'api',
        amountFen: fen(120),
        notifyUrl: 'n',
        replaces: null,
        now: new Date(),
      }),
    ),
  );
  await until('all wait for the payment', async () =>
    (await waiting()) === holds.length ? true : null,
  );
  await first.query('ROLLBACK');
  first.release();
  const results = await Promise.all(holds);
  expect(results.toSorted()).toEqual(['held', 'held', 'nothing_left', 'nothing_left']);
  const held = await patrol.sql.query(
    `SELECT held_fen, (SELECT sum(amount_fen)::int FROM refunds WHERE transaction_key = t.id) AS sum
     FROM payment_transactions t WHERE id = $1`,
    [transactionKey],
  );
  expect(held.rows).toEqual([{ held_fen: 240, sum: 240 }]);
});
