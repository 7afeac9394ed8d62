// Prepay and close of an order: expired, refused, unknown, repeated.
import { orderBody, someUser, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    env: { ONCEPAY_PAYMENT_WINDOW: '4s', ONCEPAY_QUERY_SCHEDULE: '20s' },
  });
});
afterAll(() => oncepay.stop());
afterEach(() => {
  oncepay.simulator.clearFaults();
  oncepay.simulator.setRefuseCloseWithin(0);
});

const LONG = { expires_in_seconds: 3600 };

/** An order with stock of its own, to see whether the stock comes back. */
async function stockedOrder(more: Record<string, unknown>): Promise<{ no: string; sku: string }> {
  const sku = `sku-${someUser()}`;
  await oncepay.call('PUT', `/v1/products/${sku}`, {
    body: { name: 'Thing', kind: 'physical', stock: 5 },
  });
  const items = [{ sku, quantity: 2, unit_price: 150 }];
  return { sku, no: await oncepay.newOrder({ items, ...more }) };
}

async function reserved(sku: string): Promise<unknown> {
  const { body } = await oncepay.call('GET', `/v1/products/${sku}`);
  return (body as { reserved: number }).reserved;
}

test('an order that nobody pays is closed here and at WeChat, and frees its stock', async () => {
  const { no, sku } = await stockedOrder({});
  expect(await reserved(sku)).toBe(2);
  const order = await oncepay.untilStatus(no, 'closed', 45_000);
  expect(Date.parse(order.history.at(-1)?.at ?? '')).toBeGreaterThanOrEqual(
    Date.parse(order.expires_at),
  );
  expect(order.history.at(-1)?.cause).toBe('expired');
  expect(oncepay.simulator.order(no)?.tradeState).toBe('CLOSED');
  expect(await reserved(sku)).toBe(0);
  await oncepay.temporal.workflow.getHandle(no).result();
});

test('a close gets 200, a second one too, and the payment is no longer returned', async () => {
  const { no, sku } = await stockedOrder(LONG);
  const first = await oncepay.call('POST', `/v1/orders/${no}/close`, { as: 'operator' });
  expect([first.status, first.body]).toMatchObject([200, { status: 'closed', payment: null }]);
  expect((await oncepay.call('POST', `/v1/orders/${no}/close`)).status).toBe(200);
  expect(await reserved(sku)).toBe(0);
  const payment = await oncepay.call('POST', `/v1/orders/${no}/payment`);
  expect([payment.status, payment.body]).toMatchObject([409, { code: 'ORDER_NOT_PAYABLE' }]);
  expect(oncepay.simulator.order(no)?.tradeState).toBe('CLOSED');
});

test('a close of a paid order gets 409, even before its payment was reported', async () => {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  const answer = await oncepay.call('POST', `/v1/orders/${no}/close`);
  expect([answer.status, answer.body]).toMatchObject([409, { code: 'ORDER_ALREADY_PAID' }]);
  await oncepay.untilStatus(no, 'fulfilled');
  expect((await oncepay.call('POST', `/v1/orders/${no}/close`)).status).toBe(409);
});

test('a close that WeChat refuses as too early is tried again until it is allowed', async () => {
  oncepay.simulator.setRefuseCloseWithin(20_000);
  const { no, sku } = await stockedOrder(LONG);
  const answer = await oncepay.call('POST', `/v1/orders/${no}/close`);
  expect(answer.ms).toBeLessThan(20_000);
  expect([answer.status, answer.body]).toMatchObject([202, { status: 'awaiting_payment' }]);
  expect(await reserved(sku)).toBe(2);
  await oncepay.untilStatus(no, 'closed', 45_000);
  expect(await reserved(sku)).toBe(0);
});

test('a prepay with an unknown outcome is sent again with the same bytes', async () => {
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'cut_after', times: 2 });
  const no = await oncepay.newOrder({ ...LONG, channel: 'miniprogram', openid: 'oSame' });
  const requests = oncepay.simulator
    .requestsOf(no)
    .filter(({ operation }) => operation === 'prepay');
  expect(requests).toHaveLength(3);
  expect(new Set(requests.map(({ bodySha256 }) => bodySha256)).size).toBe(1);
});

test.each(['timeout', 'error', 'unsigned', 'forged', 'html'] as const)(
  'a prepay that gets the fault %s succeeds at a later attempt',
  async (kind) => {
    oncepay.simulator.setFault({ operation: 'prepay', kind, status: kind === 'html' ? 403 : 500 });
    const created = await oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
    const { out_trade_no: no } = created.body as { out_trade_no: string };
    expect(created.status).toBe(201);
    await oncepay.untilOrder(no, 'it can be paid', ({ status }) => status === 'awaiting_payment');
    const payment = await oncepay.call('POST', `/v1/orders/${no}/payment`);
    expect(payment.body).toMatchObject({ payment: { code_url: expect.any(String) as string } });
  },
);

test('a refusal of the content closes the order: 502 with WeChat’s code, also again', async () => {
  oncepay.simulator.setFault({
    operation: 'prepay',
    kind: 'error',
    status: 400,
    code: 'PARAM_ERROR',
    message: 'bad description',
  });
  const sku = `sku-${someUser()}`;
  await oncepay.call('PUT', `/v1/products/${sku}`, {
    body: { name: 'Thing', kind: 'physical', stock: 5 },
  });
  const body = orderBody({ ...LONG, items: [{ sku, quantity: 2, unit_price: 150 }] });
  const headers = { 'idempotency-key': `refused-${process.pid}` };
  const answer = await oncepay.call('POST', '/v1/orders', { body, headers });
  expect([answer.status, answer.body]).toMatchObject([
    502,
    { code: 'WECHAT_REFUSED', wechat_code: 'PARAM_ERROR', order_status: 'closed' },
  ]);
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const { out_trade_no: no } = answer.body as { out_trade_no: string };
  expect(await reserved(sku)).toBe(0);
  expect(await oncepay.order(no)).toMatchObject({ status: 'closed', attention: null });
  const again = await oncepay.call('POST', '/v1/orders', { body, headers });
  expect([again.status, again.body]).toMatchObject([502, { out_trade_no: no }]);
});

test.each([
  [403, 'NO_AUTH'],
  [401, 'SIGN_ERROR'],
  [400, 'APPID_MCHID_NOT_MATCH'],
  [400, 'MCH_NOT_EXISTS'],
])(
  'a refusal for permission or settings (%i %s) leaves the order created, with attention',
  async (status, code) => {
    oncepay.simulator.setFault({ operation: 'prepay', kind: 'error', status, code, message: 'no' });
    const answer = await oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
    expect([answer.status, answer.body]).toMatchObject([502, { wechat_code: code }]);
    const { out_trade_no: no } = answer.body as { out_trade_no: string };
    expect(await oncepay.order(no)).toMatchObject({
      status: 'created',
      attention: { reason: 'wechat_failed' },
    });
    // WeChat never accepted a prepay, so the order can be closed in the database alone.
    expect((await oncepay.call('POST', `/v1/orders/${no}/close`)).status).toBe(200);
    expect(oncepay.simulator.order(no)).toBeNull();
  },
);

test('a content refusal after an unknown attempt frees nothing until WeChat closes', async () => {
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'cut_after', times: 1 });
  oncepay.simulator.setFault({
    operation: 'prepay',
    kind: 'error',
    status: 400,
    code: 'PARAM_ERROR',
    message: 'no',
    times: 1,
  });
  const answer = await oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
  expect(answer.status).toBe(502);
  const { out_trade_no: no } = answer.body as { out_trade_no: string };
  await oncepay.untilStatus(no, 'closed');
  const operations = oncepay.simulator.requestsOf(no).map(({ operation }) => operation);
  expect(operations.filter((operation) => operation === 'close')).toHaveLength(1);
  expect(oncepay.simulator.order(no)?.tradeState).toBe('CLOSED');
});

test('an order unknown to WeChat is closed once no attempt can reach WeChat any more', async () => {
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'cut', times: 1_000 });
  const creation = oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
  const no = await until('an attempt has an unknown outcome', async () => {
    const { rows } = await oncepay.sql.query<{ no: string }>(
      `SELECT out_trade_no AS no FROM orders o WHERE status = 'created' AND EXISTS (
        SELECT 1 FROM provider_attempts a WHERE a.out_trade_no = o.out_trade_no
          AND outcome = 'unknown')`,
    );
    return rows[0]?.no ?? null;
  });
  expect((await creation).body).toMatchObject({ status: 'created', payment: null });
  const early = oncepay.call('POST', `/v1/orders/${no}/close`);
  await until('WeChat does not know it', async () => {
    const closes = oncepay.simulator
      .requestsOf(no)
      .filter(({ operation }) => operation === 'close');
    return Promise.resolve(closes.length > 0 ? true : null);
  });
  expect(await oncepay.order(no)).toMatchObject({ status: 'created' });
  // The times after which no attempt can reach WeChat any more have passed.
  await oncepay.sql.query(
    `WITH o AS (UPDATE orders SET time_expire = '2020-01-01T00:00:00+08:00' WHERE out_trade_no = $1)
     UPDATE provider_attempts SET deadline_at = '2020-01-01' WHERE out_trade_no = $1`,
    [no],
  );
  await oncepay.untilStatus(no, 'closed', 45_000);
  expect([200, 202]).toContain((await early).status);
}, 90_000);

test('expired pay parameters are renewed by one prepay for fifty requests at once', async () => {
  const no = await oncepay.newOrder(LONG);
  await oncepay.sql.query(`UPDATE orders SET prepay_expires_at = now() WHERE out_trade_no = $1`, [
    no,
  ]);
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => oncepay.call('POST', `/v1/orders/${no}/payment`)),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const urls = answers.map(
    ({ body }) => (body as { payment: { code_url: string } }).payment.code_url,
  );
  expect(new Set(urls).size).toBe(1);
  const prepays = oncepay.simulator
    .requestsOf(no)
    .filter(({ operation }) => operation === 'prepay');
  expect(prepays).toHaveLength(2);
});

test('an order that was closed on WeChat’s merchant platform is closed here too', async () => {
  const no = await oncepay.newOrder({ expires_in_seconds: 61 });
  await oncepay.sql.query(`UPDATE orders SET next_query_at = now() WHERE out_trade_no = $1`, [no]);
  await oncepay.simulator.pay({ outTradeNo: no, tradeState: 'CLOSED' });
  const order = await oncepay.untilStatus(no, 'closed', 40_000);
  expect(order.history.at(-1)?.cause).toBe('closed_at_wechat');
});

test('a close of an order that is just being closed waits for that close', async () => {
  const no = await oncepay.newOrder(LONG);
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => oncepay.call('POST', `/v1/orders/${no}/close`)),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
  const closes = oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'close');
  expect(closes).toHaveLength(1);
  await until('the run has ended', async () => {
    const { status } = await oncepay.temporal.workflow.getHandle(no).describe();
    return status.name === 'COMPLETED' ? true : null;
  });
});
