// Requests for a payment or a close after a person resolved a failure at WeChat, in the same run.
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { resolve, untilOpened } from '../support/interventions';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});
afterEach(() => oncepay.simulator.clearFaults());

const LONG = { expires_in_seconds: 3600 };
/** Longer than the reply of an update that has ended, and shorter than a caller waits. */
const SLOW_MS = 3_000;
const DENIED = { kind: 'error', status: 403, code: 'NO_AUTH', message: 'no' } as const;

const requestCount = (no: string, name: string) =>
  oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === name).length;

/** The id of the one run that the order has had. */
async function runOf(no: string): Promise<string> {
  return (await oncepay.temporal.workflow.getHandle(no).describe()).runId;
}

test('a payment requested after a resolved refusal waits for the run’s new prepay', async () => {
  oncepay.simulator.setFault({ operation: 'prepay', ...DENIED });
  const created = await oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
  expect(created.status).toBe(502);
  const { out_trade_no: no } = created.body as { out_trade_no: string };
  const run = await runOf(no);
  const { id } = await untilOpened(oncepay, no, 'wechat_failed');
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'delay', delayMs: SLOW_MS });
  await resolve(oncepay, id, 'retry');
  const payment = await oncepay.call('POST', `/v1/orders/${no}/payment`);
  expect([payment.status, payment.body]).toMatchObject([
    200,
    { status: 'awaiting_payment', payment: { code_url: expect.any(String) as string } },
  ]);
  expect(await runOf(no)).toBe(run);
});

test('a close requested after a resolved refusal waits for the run’s new close', async () => {
  const no = await oncepay.newOrder(LONG);
  const run = await runOf(no);
  oncepay.simulator.setFault({ operation: 'close', ...DENIED });
  expect((await oncepay.call('POST', `/v1/orders/${no}/close`)).status).toBe(202);
  const { id } = await untilOpened(oncepay, no, 'wechat_failed');
  oncepay.simulator.setFault({ operation: 'close', kind: 'delay', delayMs: SLOW_MS });
  await resolve(oncepay, id, 'retry');
  const close = await oncepay.call('POST', `/v1/orders/${no}/close`);
  expect([close.status, close.body]).toMatchObject([200, { status: 'closed' }]);
  expect(await runOf(no)).toBe(run);
});

test('a mistaken report that an order is closed only makes its run query again', async () => {
  oncepay.simulator.setFault({
    operation: 'query',
    kind: 'odd',
    fields: { trade_state: 'CLOSED' },
    times: 1,
  });
  const no = await oncepay.newOrder(LONG);
  await until('the mistaken report and two more queries are over', () =>
    Promise.resolve(requestCount(no, 'query') >= 3 ? true : null),
  );
  expect(requestCount(no, 'close')).toBe(0);
  const { rows } = await oncepay.sql.query(
    'SELECT status, close_requested_at FROM orders WHERE out_trade_no = $1',
    [no],
  );
  expect(rows).toEqual([{ status: 'awaiting_payment', close_requested_at: null }]);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
});
