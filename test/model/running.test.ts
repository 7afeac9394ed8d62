// Many refunds at once on running workers that are killed: all sums agree.
import fc from 'fast-check';
import { setPolicy } from '../e2e/support/interventions';
import { requestRefund, atWechat } from '../e2e/support/refunds';
import { startTestOncepay, type OrderView, type TestOncepay } from '../support/oncepay';

/** The work of a dead worker is taken up again within this time. */
const RECOVERY_MS = 75_000;
const TOTAL_FEN = 300;

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    workers: 2,
    env: { ONCEPAY_QUERY_SCHEDULE: '1s', ONCEPAY_REFUND_SPACING: '0s' },
  });
  await setPolicy(oncepay, 'wechat.refund', { base_delay_ms: 50 });
});
afterAll(() => oncepay.stop());

const plan = fc.record({
  /** The refunds of one order that are requested at once. */
  orders: fc.array(
    fc.record({
      callbacks: fc.integer({ min: 1, max: 3 }),
      amounts: fc.array(fc.integer({ min: 1, max: TOTAL_FEN }), { minLength: 1, maxLength: 5 }),
      end: fc.constantFrom('SUCCESS' as const, 'SUCCESS' as const, 'CLOSED' as const),
    }),
    { minLength: 6, maxLength: 6 },
  ),
  faults: fc.array(
    fc.record({
      operation: fc.constantFrom('refund' as const, 'refund_query' as const),
      kind: fc.constantFrom('cut' as const, 'cut_after' as const, 'unsigned' as const),
      times: fc.integer({ min: 1, max: 2 }),
    }),
    { maxLength: 4 },
  ),
  duplicate: fc.integer({ min: 0, max: 3 }),
  /** A worker dies after so many refund requests. */
  diesAfter: fc.integer({ min: 1, max: 6 }),
});

const isOver = ({ refunds, effects }: OrderView) =>
  refunds.every(({ status }) => status === 'succeeded' || status === 'closed') &&
  effects.every(({ status }) => status === 'done' || status === 'cancelled');

/** The order's sums in the API, in the tables and at WeChat. */
async function checkSums(no: string, acceptedFen: number): Promise<void> {
  const order = await oncepay.order(no);
  const back = order.refunds.filter(({ status }) => status === 'succeeded');
  const backFen = back.reduce((sum, { amount }) => sum + amount, 0);
  expect(order.refunds.reduce((sum, { amount }) => sum + amount, 0)).toBe(acceptedFen);
  expect(order.amount).toMatchObject({ total: TOTAL_FEN, refunded: backFen });
  expect(order.status).toBe(backFen === TOTAL_FEN ? 'refunded' : 'fulfilled');
  expect(backFen).toBeLessThanOrEqual(TOTAL_FEN);
  const asked = order.refunds.length;
  expect(atWechat(oncepay, no)).toEqual({ asked, backFen, contents: asked > 0 ? 1 : 0 });
  const { rows } = await oncepay.sql.query(
    `SELECT held_fen, refunded_fen,
       (SELECT sum(delta)::int FROM points_entries WHERE out_trade_no = $1) AS points,
       (SELECT count(*)::int FROM order_effects
        WHERE out_trade_no = $1 AND effect LIKE 'points_back:%') AS back
     FROM payment_transactions WHERE order_no = $1`,
    [no],
  );
  // Three points for 300 fen: one is taken back with each hundred, rounded half up.
  const points = 3 - Math.floor((3 * backFen * 2 + TOTAL_FEN) / (2 * TOTAL_FEN));
  expect(rows).toEqual([{ held_fen: backFen, refunded_fen: backFen, points, back: back.length }]);
}

test('refunds at once, lost responses, repeats, killed workers: all sums agree', async () => {
  const { simulator } = oncepay;
  await fc.assert(
    fc.asyncProperty(plan, async ({ orders, faults, duplicate, diesAfter }) => {
      simulator.clearFaults();
      simulator.setCallbackBehaviour({ duplicate });
      const numbers = await Promise.all(orders.map(() => oncepay.newOrder()));
      await Promise.all(
        orders.map(async ({ callbacks, end }, n) => {
          const outTradeNo = numbers[n] ?? '';
          simulator.setRefundOutcome({ status: end, outTradeNo, times: 1 });
          await simulator.pay({ outTradeNo, callbacks });
          await oncepay.untilStatus(outTradeNo, 'fulfilled');
        }),
      );
      for (const fault of faults) simulator.setFault(fault);
      const victim = oncepay.workers.shift();
      let asked = 0;
      let killed: Promise<void> | undefined;
      const accepted = await Promise.all(
        orders.map(async ({ amounts }, n) => {
          const no = numbers[n] ?? '';
          const answers = await Promise.all(
            amounts.map(async (amount, m) => {
              const { status } = await requestRefund(oncepay, no, {
                out_refund_no: `${no}-${m}`,
                amount,
              });
              asked += 1;
              if (asked === diesAfter) killed = victim?.kill('SIGKILL');
              expect([202, 409]).toContain(status);
              return status === 202 ? amount : 0;
            }),
          );
          return answers.reduce((sum, amount) => sum + amount, 0);
        }),
      );
      await killed;
      oncepay.workers.push(await oncepay.startWorker());
      for (const [n, no] of numbers.entries()) {
        await oncepay.untilOrder(no, 'all of its refunds are over', isOver, RECOVERY_MS);
        await oncepay.untilOrder(
          no,
          'the shop was told',
          ({ deliveries }) => deliveries.every(({ status }) => status !== 'pending'),
          RECOVERY_MS,
        );
        await checkSums(no, accepted[n] ?? 0);
      }
    }),
    { numRuns: 2, endOnFailure: true },
  );
}, 300_000);
