// Reports of WeChat with odd fields, by callback and by query: none ends in silence.
import { call } from '../../simulator/wechatpay/support/merchant-client';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { orderOf, resolve, setPolicy, untilOpened } from '../support/interventions';
import { until } from '../../support/until';
import { queryAgain } from '../support/query-again';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ env: { ONCEPAY_QUERY_SCHEDULE: '1h' } });
});
afterAll(() => oncepay.stop());
afterEach(() => oncepay.simulator.clearFaults());

const FOR_EVER = 1_000;

/** A signed callback of a payment of 300 fen; `change` replaces its fields. @returns its id */
async function report(no: string, change: Record<string, unknown>): Promise<string> {
  const { appId, merchantId } = oncepay.credentials;
  const delivery = await oncepay.simulator.sendRaw({
    kind: 'payment',
    outTradeNo: no,
    resource: {
      appid: appId,
      mchid: merchantId,
      out_trade_no: no,
      transaction_id: oncepay.simulator.order(no)?.payments[0]?.transactionId ?? '42',
      trade_state: 'SUCCESS',
      trade_type: 'JSAPI',
      success_time: new Date().toISOString(),
      amount: { total: 300, payer_total: 300, currency: 'CNY' },
      ...change,
    },
  });
  expect(delivery.status).toBe(204);
  return delivery.notificationId;
}

const withVerdicts = (no: string, what: string) =>
  oncepay.untilOrder(no, what, ({ notices }) => notices.every(({ verdict }) => verdict !== null));

test('money without its transaction is queried at once, and what WeChat names pays', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await report(no, { transaction_id: null });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order.transactions).toMatchObject([{ status: 'applied' }]);
  expect(order).toMatchObject({ refunds: [], attention: null });
  await withVerdicts(no, 'both notices have their verdicts');
});

test('money of a closed order without its transaction is found, and goes back', async () => {
  const no = await oncepay.newOrder();
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed');
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0, force: true });
  await report(no, { transaction_id: '' });
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ amount: { refunded: 300 }, attention: null });
});

test('money that the query does not show is a reconciliation about the notice', async () => {
  const no = await oncepay.newOrder();
  const id = await report(no, { transaction_id: '小' });
  const intervention = await untilOpened(oncepay, no, 'reconciliation');
  expect(intervention).toMatchObject({ subject: id, evidence: { notice_id: id } });
  await oncepay.simulator.pay({ outTradeNo: no });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order).toMatchObject({ attention: null, refunds: [] });
});

test('money without its transaction in a query too is a reconciliation, once', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  const odd = { operation: 'query', kind: 'odd', outTradeNo: no } as const;
  oncepay.simulator.setFault({ ...odd, without: ['transaction_id'], times: FOR_EVER });
  await report(no, { transaction_id: 42 });
  await untilOpened(oncepay, no, 'reconciliation');
  expect(await oncepay.order(no)).toMatchObject({
    status: 'awaiting_payment',
    transactions: [],
    attention: { open_count: 1 },
  });
});

test('a query that WeChat never replies to ends in a reconciliation with its budget', async () => {
  await setPolicy(oncepay, 'wechat.query', { max_attempts: 2, base_delay_ms: 50 });
  const no = await oncepay.newOrder();
  const away = { operation: 'query', kind: 'error', status: 500, code: 'SYSTEM_ERROR' } as const;
  oncepay.simulator.setFault({ ...away, outTradeNo: no, times: 2 });
  const id = await report(no, { transaction_id: null });
  const { subject } = await untilOpened(oncepay, no, 'reconciliation');
  expect(subject).toBe(id);
  expect((await oncepay.order(no)).attention).toMatchObject({ open_count: 1 });
  await setPolicy(oncepay, 'wechat.query', { max_attempts: 20 });
});

describe('a trade state that nobody knows', () => {
  const unknown = { operation: 'query', kind: 'odd', fields: { trade_state: 'BOOKED' } } as const;

  test('in a callback is queried, and ignored when nothing is paid', async () => {
    const no = await oncepay.newOrder();
    await report(no, { trade_state: 'BOOKED' });
    const order = await withVerdicts(no, 'the notice has its verdict');
    expect(order).toMatchObject({
      status: 'awaiting_payment',
      notices: [{ verdict: 'ignored' }],
      attention: null,
    });
  });

  test('of an order that WeChat closes: it is closed, and nobody is asked', async () => {
    const no = await oncepay.newOrder();
    oncepay.simulator.setFault({ ...unknown, outTradeNo: no, times: FOR_EVER });
    await oncepay.call('POST', `/v1/orders/${no}/close`);
    const order = await oncepay.untilStatus(no, 'closed');
    expect(order.attention).toBeNull();
    expect(oncepay.simulator.order(no)?.closes).toBe(1);
  });

  test('of an order that WeChat does not close: a person is asked, the close goes on', async () => {
    await setPolicy(oncepay, 'wechat.query', { max_attempts: 2, base_delay_ms: 50 });
    const no = await oncepay.newOrder();
    oncepay.simulator.setFault({ ...unknown, outTradeNo: no, times: FOR_EVER });
    const refused = { operation: 'close', kind: 'error', status: 400 } as const;
    oncepay.simulator.setFault({
      ...refused,
      code: 'INVALID_REQUEST',
      outTradeNo: no,
      times: 2,
    });
    await oncepay.call('POST', `/v1/orders/${no}/close`);
    const intervention = await untilOpened(oncepay, no, 'wechat_failed');
    expect(intervention).toMatchObject({ subject: 'query', evidence: { trade_state: 'BOOKED' } });
    await oncepay.untilStatus(no, 'closed', 40_000);
    await setPolicy(oncepay, 'wechat.query', { max_attempts: 20 });
  });
});

test('the trade state REFUND in a callback is explained by our refund at WeChat', async () => {
  // The books are older than payment and refund, as after a restore from a backup.
  const no = await oncepay.newOrder();
  const { transactionId } = await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  oncepay.simulator.setRefundOutcome({ status: 'SUCCESS', inAnswer: true, callbacks: 0, times: 1 });
  const body = JSON.stringify({
    transaction_id: transactionId,
    out_refund_no: `op_${transactionId}`,
    amount: { refund: 300, total: 300, currency: 'CNY' },
  });
  const path = '/v3/refund/domestic/refunds';
  expect((await call(oncepay, { method: 'POST', path, body })).status).toBe(200);
  await report(no, { trade_state: 'REFUND' });
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ amount: { refunded: 300 }, attention: null });
  const given = order.effects.filter(({ effect }) => !effect.includes('_back:'));
  expect(given.filter(({ status }) => status === 'done')).toEqual([]);
});

test('a mismatch that the close finds pauses the close, and retry queries at once', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 299, callbacks: 0 });
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const first = await untilOpened(oncepay, no, 'amount_mismatch');
  const queries = () =>
    oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'query').length;
  const before = queries();
  expect((await resolve(oncepay, first.id, 'retry')).status).toBe(200);
  await until('it is queried, and the mismatch is open again', async () => {
    const { attention } = await oncepay.order(no);
    return queries() > before && attention !== null && attention.id !== first.id ? true : null;
  });
  const order = await oncepay.order(no);
  expect(order).toMatchObject({
    status: 'awaiting_payment',
    attention: { reason: 'amount_mismatch', open_count: 1 },
  });
  expect((await resolve(oncepay, order.attention?.id ?? '', 'refund')).status).toBe(200);
  await oncepay.untilStatus(no, 'closed');
});

/** Closes an order whose money was dismissed, in each way that there is. */
const CLOSES = {
  async expiry(no: string): Promise<void> {
    await oncepay.sql.query(
      `UPDATE orders SET expires_at = now() - interval '1 minute' WHERE out_trade_no = $1`,
      [no],
    );
    await queryAgain(oncepay, no);
  },
  async shop(no: string): Promise<void> {
    await oncepay.call('POST', `/v1/orders/${no}/close`);
  },
  async wechat_failed(no: string): Promise<void> {
    const refused = { operation: 'query', kind: 'error', status: 403, code: 'NO_AUTH' } as const;
    oncepay.simulator.setFault({ ...refused, outTradeNo: no, times: FOR_EVER });
    await oncepay.call('POST', `/v1/orders/${no}/close`);
    const { id } = await untilOpened(oncepay, no, 'wechat_failed');
    oncepay.simulator.clearFaults();
    expect((await resolve(oncepay, id, 'close')).status).toBe(200);
  },
};

test.each([
  ['at its expiry', 'expiry', 'expired'],
  ['by the shop', 'shop', 'close_requested'],
  ['by the action close of wechat_failed', 'wechat_failed', 'close_requested'],
] as const)(
  'an order whose foreign money was dismissed is closed %s in the books, and frees its stock',
  async (_title, way, cause) => {
    const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 2 });
    await oncepay.simulator.pay({ outTradeNo: no, appId: 'wx0000000000000000' });
    const { id } = await untilOpened(oncepay, no, 'identity_mismatch');
    expect((await resolve(oncepay, id, 'dismiss')).status).toBe(200);
    await CLOSES[way](no);
    const order = await oncepay.untilStatus(no, 'closed');
    expect(order).toMatchObject({ attention: null, effects: [] });
    expect(order.history.at(-1)?.cause).toBe(cause);
    const { body } = await oncepay.call('GET', `/v1/products/${sku}`);
    expect(body).toMatchObject({ reserved: 0 });
    // WeChat takes no close of an order that is paid there.
    const operations = oncepay.simulator.requestsOf(no).map(({ operation }) => operation);
    expect(operations).not.toContain('close');
  },
);

test('a payment dismissed as foreign that the close finds as ours pays the order', async () => {
  const no = await oncepay.newOrder();
  const { transactionId } = await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await report(no, { appid: 'wx0000000000000000' });
  const { id } = await untilOpened(oncepay, no, 'identity_mismatch');
  expect((await resolve(oncepay, id, 'dismiss')).status).toBe(200);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order).toMatchObject({ transaction_id: transactionId, attention: null, refunds: [] });
});
