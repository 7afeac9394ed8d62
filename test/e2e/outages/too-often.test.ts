// WeChat's "too often" (FREQUENCY_LIMITED): longer pauses, no outage.
import type { Operation } from '../../../simulator/wechatpay/http/records';
import { orderBody, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { lateOrder, interventionsOf, setPolicy } from '../support/interventions';

/** After "too often" no call is repeated sooner, however short the policy's delays are. */
const LEAST_MS = 5_000;
/** The longest pause after any other failure; far above the policy's, for a busy machine. */
const OTHER_MS = 3_000;
const BURST = 30;

jest.setTimeout(90_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    env: {
      ONCEPAY_LOG_LEVEL: 'info',
      ONCEPAY_QUERY_SCHEDULE: '2s,1m',
      ONCEPAY_REFUND_SPACING: '0s',
    },
  });
  const short = { base_delay_ms: 200, max_delay_ms: 30_000, factor: 1, jitter: 0 };
  for (const operation of ['prepay', 'query', 'close', 'refund', 'refund_query']) {
    await setPolicy(oncepay, `wechat.${operation}`, short);
  }
});
afterAll(() => oncepay.stop());
afterEach(() => oncepay.simulator.clearFaults());

const TOO_OFTEN = { kind: 'error', status: 429, code: 'FREQUENCY_LIMITED' } as const;
const LONG = { expires_in_seconds: 3_600 };

/** One failure of WeChat's, then "too often" twice. */
function stumble(operation: Operation, outTradeNo?: string): void {
  oncepay.simulator.setFault({ operation, kind: 'error', status: 500, outTradeNo });
  oncepay.simulator.setFault({ operation, ...TOO_OFTEN, times: 2, outTradeNo });
}

const cases: Record<string, [Operation, () => Promise<string>, string]> = {
  'a prepay': [
    'prepay',
    () => {
      stumble('prepay');
      return oncepay.newOrder(LONG);
    },
    'awaiting_payment',
  ],
  'a query': [
    'query',
    async () => {
      const no = await oncepay.newOrder(LONG);
      stumble('query', no);
      await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
      return no;
    },
    'fulfilled',
  ],
  'a close': [
    'close',
    async () => {
      const no = await oncepay.newOrder(LONG);
      stumble('close', no);
      await oncepay.call('POST', `/v1/orders/${no}/close`);
      return no;
    },
    'closed',
  ],
  'a refund': [
    'refund',
    () => {
      stumble('refund');
      return lateOrder(oncepay);
    },
    'refunded',
  ],
};

test.each(Object.entries(cases))(
  '%s that WeChat gets too often waits longer than one that failed, and succeeds',
  async (_what, [operation, begin, status]) => {
    const no = await begin();
    await oncepay.untilStatus(no, status, 60_000);
    const sent = oncepay.simulator
      .requestsOf(no)
      .filter((request) => request.operation === operation)
      .slice(0, 4);
    expect(sent.map((request) => Math.floor((request.status ?? 0) / 100))).toEqual([5, 4, 4, 2]);
    const [failed = 0, limited = 0, again = 0, done = 0] = sent.map(({ at }) => Date.parse(at));
    expect(limited - failed).toBeLessThan(OTHER_MS);
    expect(again - limited).toBeGreaterThanOrEqual(LEAST_MS);
    expect(done - again).toBeGreaterThanOrEqual(LEAST_MS);
    expect(await interventionsOf(oncepay, no)).toEqual([]);
    expect(oncepay.simulator.refundsOf(no)).toHaveLength(operation === 'refund' ? 1 : 0);
  },
);

test('a burst that WeChat takes in part is no outage, and each order succeeds', async () => {
  oncepay.simulator.setFault({ operation: 'prepay', ...TOO_OFTEN, times: 2 * BURST });
  const answers = await Promise.all(
    Array.from({ length: BURST }, () =>
      oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) }),
    ),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
  const numbers = answers.map(({ body }) => (body as { out_trade_no: string }).out_trade_no);
  for (const no of numbers) await oncepay.untilStatus(no, 'awaiting_payment', 60_000);
  const { rows } = await oncepay.sql.query('SELECT reason FROM interventions');
  expect(rows).toEqual([]);
  const log = await oncepay.workers[0]?.output();
  expect(log).not.toContain('dependency.down');
});
