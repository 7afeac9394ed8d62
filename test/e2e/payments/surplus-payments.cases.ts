// Second payments for one order: refunded once.
import type { PoolClient } from 'pg';
import { countEffects, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

/** Temporal notices a dead worker within this time. */
const RECOVERY_MS = 90_000;
jest.setTimeout(180_000);

/** One payment is the order's; the other was refunded whole, by its own number. */
async function expectOnePaidOneBack(no: string, both: (string | null)[]): Promise<void> {
  const order = await oncepay.untilOrder(
    no,
    'one is the order’s, the other is back',
    ({ status, refunds }) => status === 'fulfilled' && refunds[0]?.status === 'succeeded',
    RECOVERY_MS,
  );
  const [surplus] = both.filter((id) => id !== order.transaction_id);
  expect(both).toContain(order.transaction_id);
  expect(order).toMatchObject({
    attention: null,
    amount: { refunded: 0 },
    refunds: [{ transaction_id: surplus, amount: 300 }],
  });
  expect(order.refunds).toHaveLength(1);
  expect(order.transactions.map(({ status }) => status).sort()).toEqual(['applied', 'surplus']);
  expect(oncepay.simulator.refundsOf(no)).toMatchObject([
    { transactionId: surplus, refundFen: 300, status: 'SUCCESS' },
  ]);
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
  expect(await countEffects(oncepay.sql, no)).toMatchObject({
    applied: 1,
    points: 3,
    pointsEntries: 1,
    paidSteps: 1,
  });
}

test('of two payments at the same moment one fulfils, the other is refunded once', async () => {
  const numbers = await Promise.all(Array.from({ length: 8 }, () => oncepay.newOrder()));
  const paid = await Promise.all(
    numbers.map((outTradeNo) =>
      Promise.all([
        oncepay.simulator.pay({ outTradeNo, force: true, callbacks: 2 }),
        oncepay.simulator.pay({ outTradeNo, force: true, callbacks: 2 }),
      ]),
    ),
  );
  for (const [index, no] of numbers.entries()) {
    await expectOnePaidOneBack(no, paid[index]?.map(({ transactionId }) => transactionId) ?? []);
  }
});

/** Until this is over, no attempt to refund can be written down, so none is sent. */
async function holdAttempts(): Promise<PoolClient> {
  const client = await oncepay.sql.connect();
  await client.query('BEGIN');
  await client.query('LOCK TABLE refund_attempts IN SHARE MODE');
  return client;
}

test('workers die before a reserved surplus refund is sent: it is sent once', async () => {
  const no = await oncepay.newOrder();
  const first = await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const held = await holdAttempts();
  const second = await oncepay.simulator.pay({ outTradeNo: no, force: true });
  await until('the refund is reserved, and about to be sent', async () => {
    const { rowCount } = await oncepay.sql.query(
      `SELECT 1 FROM refunds WHERE out_trade_no = $1 AND status = 'pending' AND EXISTS (
         SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'refund_attempts'::regclass)`,
      [no],
    );
    return rowCount === 1 ? true : null;
  });
  await Promise.all(oncepay.workers.map((worker) => worker.kill()));
  await held.query('ROLLBACK');
  held.release();
  expect(oncepay.simulator.requestsOf(no).map(({ operation }) => operation)).not.toContain(
    'refund',
  );
  oncepay.workers.push(await oncepay.startWorker());
  await expectOnePaidOneBack(no, [first.transactionId, second.transactionId]);
  const sent = oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'refund');
  expect(sent).toHaveLength(1);
});
