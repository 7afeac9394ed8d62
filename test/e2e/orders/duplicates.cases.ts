// Repeated order requests, at once and later: one order, one reservation, one prepay.
import { orderBody, someUser, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

/** Sends the same request `times` times at once, spread over both api processes. */
function atOnce(times: number, body: unknown, headers: Record<string, string> = {}) {
  const [one, two] = oncepay.apis.map(({ port }) => port);
  return Promise.all(
    Array.from({ length: times }, (_, index) =>
      oncepay.call('POST', '/v1/orders', {
        body,
        headers,
        ...(index % 2 === 0 && one !== undefined ? { port: one } : {}),
        ...(index % 2 === 1 && two !== undefined ? { port: two } : {}),
      }),
    ),
  );
}

const numbers = (answers: { body: unknown }[]) =>
  new Set(answers.map(({ body }) => (body as { out_trade_no: string }).out_trade_no));

/** Creates an order and waits until WeChat took it. @returns its number */
async function created(body: unknown, headers: Record<string, string> = {}): Promise<string> {
  const [no = ''] = numbers([await oncepay.call('POST', '/v1/orders', { body, headers })]);
  await oncepay.untilStatus(no, 'awaiting_payment');
  return no;
}

function counts(answers: { status: number }[]): Record<number, number> {
  const seen: Record<number, number> = {};
  for (const { status } of answers) seen[status] = (seen[status] ?? 0) + 1;
  return seen;
}

test('fifty identical requests at once make one order, reservation and prepay', async () => {
  const sku = `sku-${someUser()}`;
  await oncepay.call('PUT', `/v1/products/${sku}`, {
    body: { name: 'Thing', kind: 'physical', stock: 100 },
  });
  const items = [
    { sku, quantity: 1, unit_price: 200 },
    { sku: 'other', quantity: 1, unit_price: 100 },
  ];
  const body = orderBody({ items });
  const answers = await atOnce(50, body);
  expect(counts(answers)).toEqual({ 200: 49, 201: 1 });
  expect(numbers(answers).size).toBe(1);
  const [no = ''] = numbers(answers);
  // The api leaves the payment out only when WeChat has not taken the order within 8 s.
  const unpayable = answers.filter(
    ({ body: seen, ms }) => (seen as { payment: unknown }).payment === null && ms < 8_000,
  );
  expect(unpayable).toEqual([]);
  await oncepay.untilStatus(no, 'awaiting_payment');
  const product = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(product.body).toMatchObject({ reserved: 1 });
  const prepays = oncepay.simulator
    .requestsOf(no)
    .filter(({ operation }) => operation === 'prepay');
  expect(prepays).toHaveLength(1);
  // Items in another order make the same order; another amount makes another one.
  const turned = await oncepay.call('POST', '/v1/orders', {
    body: { ...body, items: [...items].reverse() },
  });
  expect([turned.status, numbers([turned]).has(no)]).toEqual([200, true]);
  const other = await oncepay.call('POST', '/v1/orders', {
    body: { ...body, shop_order_no: 'another' },
  });
  expect([other.status, numbers([other]).has(no)]).toEqual([201, false]);
});

test('an order for the same goods after the payment is a new order', async () => {
  const body = orderBody();
  const no = await created(body);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const second = await oncepay.call('POST', '/v1/orders', { body });
  expect(second.status).toBe(201);
  expect(numbers([second]).has(no)).toBe(false);
});

test('fifty requests with one key make one order; another body under it gets 422', async () => {
  const key = `key-${someUser()}`;
  const body = orderBody();
  const answers = await atOnce(50, body, { 'idempotency-key': key });
  expect(counts(answers)).toEqual({ 200: 49, 201: 1 });
  expect(numbers(answers).size).toBe(1);
  const reused = await oncepay.call('POST', '/v1/orders', {
    body: orderBody(),
    headers: { 'idempotency-key': key },
  });
  expect([reused.status, reused.body]).toMatchObject([422, { code: 'IDEMPOTENCY_KEY_REUSED' }]);
  const otherCaller = await oncepay.call('POST', '/v1/orders', {
    body,
    as: 'merchant',
    headers: { 'idempotency-key': key },
  });
  expect(otherCaller.status).toBe(201);
  const otherKey = await oncepay.call('POST', '/v1/orders', {
    body,
    headers: { 'idempotency-key': `${key}-2` },
  });
  expect(otherKey.status).toBe(201);
});

test('a repeated Idempotency-Key returns the order in its present state', async () => {
  const headers = { 'idempotency-key': `key-${someUser()}` };
  const body = orderBody();
  const no = await created(body, headers);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const replay = await oncepay.call('POST', '/v1/orders', { body, headers });
  expect([replay.status, replay.body]).toMatchObject([
    200,
    { out_trade_no: no, status: 'fulfilled', payment: null },
  ]);
});

test('fifty buyers of the last ten pieces at once: ten get one, nobody gets more', async () => {
  const sku = `rare-${someUser()}`;
  await oncepay.call('PUT', `/v1/products/${sku}`, {
    body: { name: 'Rare', kind: 'physical', stock: 10 },
  });
  const [one, two] = oncepay.apis.map(({ port }) => port);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      oncepay.call('POST', '/v1/orders', {
        body: orderBody({ items: [{ sku, quantity: 1, unit_price: 300 }] }),
        port: (index % 2 === 0 ? one : two) ?? 0,
      }),
    ),
  );
  expect(counts(answers)).toEqual({ 201: 10, 409: 40 });
  const product = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(product.body).toMatchObject({ stock: 10, reserved: 10 });
});

test('two apis and two workers serve the same orders: each is paid, fulfilled once', async () => {
  const created = await Promise.all(Array.from({ length: 30 }, () => oncepay.newOrder()));
  await Promise.all(created.map((no) => oncepay.simulator.pay({ outTradeNo: no, callbacks: 3 })));
  for (const no of created) await oncepay.untilStatus(no, 'fulfilled', 30_000);
  const { rows } = await oncepay.sql.query(
    `SELECT count(*)::int AS entries, sum(delta)::int AS points FROM points_entries
     WHERE out_trade_no = ANY($1)`,
    [created],
  );
  expect(rows).toEqual([{ entries: 30, points: 90 }]);
});
