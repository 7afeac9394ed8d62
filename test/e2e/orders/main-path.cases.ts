// The way of a payment end to end: created, paid, fulfilled, announced.
import { temporal as proto } from '@temporalio/proto';
import { countEffects, orderBody, someUser, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';

const { EventType } = proto.api.enums.v1;

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const CHANNELS = [
  [
    'miniprogram',
    { openid: 'oUser1' },
    ['timeStamp', 'nonceStr', 'package', 'signType', 'paySign'],
  ],
  [
    'official_account',
    { openid: 'oUser1' },
    ['appId', 'timeStamp', 'nonceStr', 'package', 'signType', 'paySign'],
  ],
  ['h5', { client_ip: '203.0.113.7' }, ['h5_url']],
  ['app', {}, ['appId', 'partnerId', 'prepayId', 'packageValue', 'nonceStr', 'timeStamp', 'sign']],
  ['admin', {}, ['code_url']],
] as const;

test.each(CHANNELS)(
  'an order of the channel %s is paid once and fulfilled once',
  async (channel, more, names) => {
    const created = await oncepay.call('POST', '/v1/orders', {
      as: 'merchant',
      body: orderBody({ channel, ...more }),
    });
    expect(created.status).toBe(201);
    const body = created.body as { out_trade_no: string; payment: Record<string, string> };
    expect(created.body).toMatchObject({
      status: 'awaiting_payment',
      amount: { total: 300, currency: 'CNY', refunded: 0 },
    });
    expect(Object.keys(body.payment).sort()).toEqual([...names].sort());
    const paid = await oncepay.simulator.pay({ outTradeNo: body.out_trade_no });
    expect(paid.callback?.status).toBe(204);
    const order = await oncepay.untilStatus(body.out_trade_no, 'fulfilled');
    expect(order.history.map(({ from, to }) => [from, to])).toEqual([
      [null, 'created'],
      ['created', 'awaiting_payment'],
      ['awaiting_payment', 'paid'],
      ['paid', 'fulfilled'],
    ]);
    expect(order.notices).toMatchObject([{ kind: 'payment', verdict: 'applied' }]);
    expect(order.attention).toBeNull();
    expect(await countEffects(oncepay.sql, body.out_trade_no)).toEqual({
      applied: 1,
      points: 3,
      pointsEntries: 1,
      paidSteps: 1,
    });
  },
);

test('a paid order has at most 36 history events, 20 of them from the payment on', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const handle = oncepay.temporal.workflow.getHandle(no);
  await handle.result();
  const { events = [] } = await handle.fetchHistory();
  const types = (events ?? []).map(({ eventType }) => eventType);
  const signal = types.indexOf(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED);
  expect(signal).toBeGreaterThan(0);
  expect(types.length).toBeLessThanOrEqual(36);
  expect(types.length - signal).toBeLessThanOrEqual(20);
});

test('an order reserves stock, its payment takes it, and no piece is sold twice', async () => {
  const sku = `mug-${someUser()}`;
  const product = { name: 'Mug', kind: 'physical', stock: 3 };
  expect((await oncepay.call('PUT', `/v1/products/${sku}`, { body: product })).status).toBe(200);
  const items = [{ sku, quantity: 2, unit_price: 1000 }];
  const amount = { total: 2000, currency: 'CNY' };
  const no = await oncepay.newOrder({ items, amount });
  const reserved = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(reserved.body).toMatchObject({ stock: 3, reserved: 2, sold: 0 });
  const refused = await oncepay.call('POST', '/v1/orders', { body: orderBody({ items, amount }) });
  expect(refused.status).toBe(409);
  expect(refused.body).toMatchObject({ code: 'OUT_OF_STOCK' });
  await oncepay.simulator.pay({ outTradeNo: no });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order.effects.map(({ effect, status }) => [effect, status])).toEqual([
    ['points', 'done'],
    ['sales', 'done'],
    ['stock', 'done'],
  ]);
  const sold = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(sold.body).toMatchObject({ stock: 1, reserved: 0, sold: 2 });
});

test('an order of virtual goods gets its codes from the pool, each code once', async () => {
  const sku = `game-${someUser()}`;
  await oncepay.call('PUT', `/v1/products/${sku}`, { body: { name: 'Game', kind: 'virtual' } });
  const codes = ['A-1', 'A-2', 'A-3'].map((code) => `${sku}:${code}`);
  const added = await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  expect(added.body).toMatchObject({ codes_left: 3 });
  const again = await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  expect(again.body).toMatchObject({ codes_left: 3 });
  const order = (quantity: number) =>
    oncepay.newOrder({
      items: [{ sku, quantity, unit_price: 100 }],
      amount: { total: quantity * 100, currency: 'CNY' },
    });
  const [first, second] = [await order(2), await order(2)];
  await oncepay.simulator.pay({ outTradeNo: first });
  const fulfilled = await oncepay.untilStatus(first, 'fulfilled');
  expect(fulfilled.codes?.map(({ code }) => code)).toEqual(codes.slice(0, 2));
  const seenByViewer = await oncepay.call('GET', `/v1/orders/${first}`, { as: 'viewer' });
  expect(seenByViewer.body).not.toHaveProperty('codes');

  // Only one code is left for two: none is handed out, and the other effects are done all the
  // same.
  await oncepay.simulator.pay({ outTradeNo: second });
  const stuck = await oncepay.untilOrder(
    second,
    'a person is asked',
    ({ attention }) => attention !== null,
  );
  expect(stuck.status).toBe('paid');
  expect(stuck.attention).toMatchObject({ reason: 'no_codes', open_count: 1 });
  expect(stuck.effects.map(({ effect, status, error }) => [effect, status, error])).toEqual([
    ['delivery', 'failed', 'NO_CODES'],
    ['points', 'done', null],
    ['sales', 'done', null],
  ]);
  expect(stuck.codes).toEqual([]);
  const left = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(left.body).toMatchObject({ codes_left: 1, sold: 4 });
  const seen = await until('the run shows it', async () => {
    const described = await oncepay.temporal.workflow.getHandle(second).describe();
    expect(described.status.name).toBe('RUNNING');
    const attributes = described.typedSearchAttributes
      .getAll()
      .map(({ key, value }) => [key.name, value] as const);
    return attributes.some(([name]) => name === 'OncepayAttention') ? attributes : null;
  });
  expect(Object.fromEntries(seen)).toMatchObject({
    OncepayStatus: 'paid',
    OncepayAttention: 'no_codes',
  });
});

test('after a payment the shop gets signed webhooks and the user gets a message', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order.deliveries.map(({ id, kind, status }) => [id, kind, status])).toEqual([
    [`${no}:order.paid`, 'message', 'done'],
    [`${no}:order.paid`, 'webhook', 'done'],
    [`${no}:order.fulfilled`, 'webhook', 'done'],
  ]);
  expect(oncepay.webhooks.of(no).map(({ id, type }) => [id, type])).toEqual([
    [`${no}:order.paid`, 'order.paid'],
    [`${no}:order.fulfilled`, 'order.fulfilled'],
  ]);
  expect(oncepay.webhooks.forged).toBe(0);
});

test('a webhook that the shop refuses is sent again under the same id', async () => {
  const no = await oncepay.newOrder();
  oncepay.webhooks.failNext(2);
  await oncepay.simulator.pay({ outTradeNo: no });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  const attempts = order.deliveries.filter(({ kind }) => kind === 'webhook').map((d) => d.attempts);
  expect(attempts.reduce((sum, count) => sum + count, 0)).toBe(4);
  expect(new Set(oncepay.webhooks.of(no).map(({ id }) => id)).size).toBe(2);
});

test('a callback that comes twenty times at once gets 204 each time, is applied once', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 20 });
  const deliveries = oncepay.simulator.deliveries(no);
  expect(deliveries.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 204));
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order.notices).toHaveLength(1);
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
});

test('a callback after the run has ended changes nothing and starts no run', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const handle = oncepay.temporal.workflow.getHandle(no);
  await handle.result();
  const before = await handle.describe();
  const [repeat] = await oncepay.simulator.notify({ outTradeNo: no, count: 1 });
  expect(repeat?.status).toBe(204);
  // The same payment reported under another id does start a run, which finds it applied.
  const [other] = await oncepay.simulator.notify({ outTradeNo: no, count: 1, newId: true });
  expect(other?.status).toBe(204);
  const order = await oncepay.untilOrder(
    no,
    'both notices have a verdict',
    ({ notices }) => notices.length === 2 && notices.every(({ verdict }) => verdict !== null),
  );
  expect(order.notices.map(({ verdict }) => verdict)).toEqual(['applied', 'already_applied']);
  expect(order.status).toBe('fulfilled');
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
  const after = await oncepay.temporal.workflow.getHandle(no).describe();
  expect(after.runId).not.toBe(before.runId);
  await oncepay.temporal.workflow.getHandle(no).result();
  const runs = [];
  for await (const run of oncepay.temporal.workflow.list({ query: `WorkflowId = '${no}'` })) {
    runs.push(run.runId);
  }
  expect(runs).toHaveLength(2);
});

test('a callback that comes while the order is still created pays the order', async () => {
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'cut_after', times: 3 });
  const creation = oncepay.call('POST', '/v1/orders', { body: orderBody() });
  const [row] = await until('the order is at WeChat', async () => {
    const { rows } = await oncepay.sql.query<{ out_trade_no: string }>(
      `SELECT out_trade_no FROM orders o WHERE status = 'created' AND EXISTS
        (SELECT 1 FROM provider_attempts a WHERE a.out_trade_no = o.out_trade_no
          AND outcome = 'unknown')`,
    );
    return rows.length > 0 ? rows : null;
  });
  const no = row?.out_trade_no ?? '';
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order.history.map(({ to }) => to)).toEqual(['created', 'paid', 'fulfilled']);
  expect((await creation).status).toBe(201);
  oncepay.simulator.clearFaults();
});

test.each([
  ['tampered', 401],
  ['stale', 401],
  ['unknown_serial', 401],
  ['signtest', 401],
  ['bad_signature', 401],
  ['undecryptable', 400],
  ['malformed', 400],
  ['unknown_shape', 204],
  ['profit_sharing', 204],
] as const)(
  'a callback of the kind %s gets %i and leaves the order unchanged',
  async (kind, status) => {
    const no = await oncepay.newOrder();
    const delivery = await oncepay.simulator.sendRaw({ kind, outTradeNo: no });
    expect(delivery.status).toBe(status);
    const order = await oncepay.order(no);
    expect(order).toMatchObject({ status: 'awaiting_payment', notices: [], attention: null });
  },
);
