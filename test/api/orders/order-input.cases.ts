// Requests for new orders: which are refused, and at which field.
import fc from 'fast-check';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
let before: Record<string, number>;
beforeAll(() => {
  oncepay = sharedOncepay();
});
beforeEach(async () => {
  before = await countRows(oncepay.sql);
});

const item = { sku: 'shirt', quantity: 2, unit_price: 150 };

async function expectRefused(body: unknown, field: string): Promise<void> {
  expectProblem(await oncepay.call('POST', '/v1/orders', { body }), 400, field);
}

/** Values that are not valid text for any field. */
const NO_TEXT: [string, unknown][] = [
  ['null', null],
  ['a number', 7],
  ['a boolean', true],
  ['a list', ['x']],
  ['an object', { text: 'x' }],
  ['empty', ''],
  ['with a line break', 'a\nb'],
  ['with a NUL', 'a\u0000b'],
  ['with an escape', 'a\u001bb'],
  ['with C1 control characters', 'a\u0085b'],
  ['with a lone high surrogate', 'a\ud800b'],
  ['with a lone low surrogate', 'a\udc00b'],
];

describe.each([
  ['user_id', 64],
  ['description', 127],
  ['openid', 128],
  ['shop_order_no', 64],
])('POST /v1/orders with the text %s', (field, max) => {
  test('an order with an invalid text is refused and nothing is stored', async () => {
    for (const [, value] of [...NO_TEXT, ['too long', 'x'.repeat(max + 1)] as const]) {
      await expectRefused(orderBody({ [field]: value }), field);
    }
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('an order with the longest text, counted in characters, is created', async () => {
    const body = orderBody({
      [field]: `${oncepay.keys.admin.slice(0, 16)}${'衣'.repeat(max - 16)}`,
    });
    const reply = await oncepay.call('POST', '/v1/orders', { body });
    expect([reply.status, reply.body]).toMatchObject([201, { status: 'awaiting_payment' }]);
  });
});

const NO_AMOUNT: [string, unknown][] = [
  ['null', null],
  ['a number as string', '300'],
  ['a fraction', 300.5],
  ['negative', -300],
  ['zero', 0],
  ['minus zero', -0],
  ['huge', 1e21],
  ['over 32 bits', 2_147_483_648],
  ['over 53 bits', 2 ** 53 + 2],
  ['a boolean', true],
  ['a list', [300]],
  ['an object', { fen: 300 }],
];

test.each([
  ['amount.total', (value: unknown) => ({ amount: { total: value, currency: 'CNY' } })],
  ['items[0].quantity', (value: unknown) => ({ items: [{ ...item, quantity: value }] })],
  ['items[0].unit_price', (value: unknown) => ({ items: [{ ...item, unit_price: value }] })],
])('an order whose %s is not an integer of at least 1 is refused', async (field, build) => {
  for (const [, value] of NO_AMOUNT) await expectRefused(orderBody(build(value)), field);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test('an order with a number that JSON cannot represent is refused', async () => {
  const rawBody = JSON.stringify(orderBody()).replace('"total":300', '"total":1e999');
  expectProblem(await oncepay.call('POST', '/v1/orders', { rawBody }), 400, 'amount.total');
});

test.each<[string, string, Record<string, unknown>]>([
  ['an unknown channel', 'channel', { channel: 'pigeon' }],
  ['a channel in upper case', 'channel', { channel: 'ADMIN' }],
  ['a channel of the prototype', 'channel', { channel: 'constructor' }],
  ['no channel', 'channel', { channel: undefined }],
  ['a null channel', 'channel', { channel: null }],
  ['a channel of digits', 'channel', { channel: 4 }],
  ['no user', 'user_id', { user_id: undefined }],
  ['no description', 'description', { description: undefined }],
  ['no items', 'items', { items: undefined }],
  ['an empty list of items', 'items', { items: [] }],
  ['items as an object', 'items', { items: { 0: item } }],
  ['null among the items', 'items[1]', { items: [item, null] }],
  ['a list among the items', 'items[0]', { items: [[item]] }],
  ['too many items', 'items', { items: Array.from({ length: 201 }, () => item) }],
  ['an item without sku', 'items[0].sku', { items: [{ quantity: 2, unit_price: 150 }] }],
  ['an item with a long sku', 'items[0].sku', { items: [{ ...item, sku: 'x'.repeat(65) }] }],
  ['an item with a NUL sku', 'items[0].sku', { items: [{ ...item, sku: '\0' }] }],
  ['an item of another kind', 'items[0].kind', { items: [{ ...item, kind: 'food' }] }],
  ['an item with a null kind', 'items[0].kind', { items: [{ ...item, kind: null }] }],
  ['an item with a field more', 'items[0].price', { items: [{ ...item, price: 1 }] }],
  ['no amount', 'amount', { amount: undefined }],
  ['an amount as number', 'amount', { amount: 300 }],
  ['no total', 'amount.total', { amount: { currency: 'CNY' } }],
  ['no currency', 'amount.currency', { amount: { total: 300 } }],
  ['dollars', 'amount.currency', { amount: { total: 300, currency: 'USD' } }],
  ['a currency in lower case', 'amount.currency', { amount: { total: 300, currency: 'cny' } }],
  ['a total that is not the sum', 'amount.total', { amount: { total: 299, currency: 'CNY' } }],
  [
    'a sum that no 32-bit number holds',
    'amount.total',
    { items: [{ ...item, quantity: 2_147_483_647 }] },
  ],
  [
    'an amount with a field more',
    'amount.fee',
    { amount: { total: 300, currency: 'CNY', fee: 1 } },
  ],
  ['a mini program without openid', 'openid', { channel: 'miniprogram' }],
  ['an official account without openid', 'openid', { channel: 'official_account' }],
  ['h5 without client_ip', 'client_ip', { channel: 'h5' }],
  ['a client_ip that is none', 'client_ip', { client_ip: '300.1.1.1' }],
  ['a client_ip with a port', 'client_ip', { client_ip: '10.0.0.1:80' }],
  ['a client_ip with a zone', 'client_ip', { client_ip: 'fe80::1%eth0' }],
  ['a null client_ip', 'client_ip', { client_ip: null }],
  ['59 seconds', 'expires_in_seconds', { expires_in_seconds: 59 }],
  ['a week and a second', 'expires_in_seconds', { expires_in_seconds: 604_801 }],
  ['seconds as string', 'expires_in_seconds', { expires_in_seconds: '60' }],
  ['a fraction of seconds', 'expires_in_seconds', { expires_in_seconds: 60.5 }],
  ['profit_sharing as string', 'profit_sharing', { profit_sharing: 'true' }],
  ['profit_sharing as number', 'profit_sharing', { profit_sharing: 1 }],
  ['metadata as list', 'metadata', { metadata: ['x'] }],
  ['metadata as text', 'metadata', { metadata: 'x' }],
  ['null metadata', 'metadata', { metadata: null }],
  ['too much metadata', 'metadata', { metadata: { text: 'x'.repeat(16 * 1_024) } }],
  ['a NUL in metadata', 'metadata.text', { metadata: { text: '\0' } }],
  ['a NUL in a name of metadata', 'metadata', { metadata: { '\0': 1 } }],
  ['a lone surrogate in metadata', 'metadata.list[0]', { metadata: { list: ['\udead'] } }],
  ['an unknown field', 'colour', { colour: 'red' }],
  ['a status', 'status', { status: 'paid' }],
  ['a number of its own', 'out_trade_no', { out_trade_no: 'mine' }],
  ['a constructor', 'constructor', { constructor: { prototype: {} } }],
  ['toString', 'toString', { toString: 'x' }],
])('an order with %s is refused at %s', async (_what, field, change) => {
  await expectRefused(orderBody(change), field);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test.each([
  ['__proto__', '{"__proto__":{"channel":"admin"},'],
  ['metadata.__proto__', '{"metadata":{"__proto__":{"x":1}},'],
  ['metadata.a[0].__proto__', '{"metadata":{"a":[{"__proto__":1}]},'],
])('an order with the key %s is refused at any depth', async (field, start) => {
  const rawBody = start + JSON.stringify(orderBody()).slice(1);
  expectProblem(await oncepay.call('POST', '/v1/orders', { rawBody }), 400, field);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test.each([
  ['20 lists', `${'['.repeat(20)}${']'.repeat(20)}`],
  ['10,000 lists', `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
  ['40,000 objects', `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`],
])('an order with JSON of %s nested too deeply is refused in any field', async (_what, deep) => {
  expectProblem(await oncepay.call('POST', '/v1/orders', { rawBody: deep }), 400);
  const rawBody = `{"metadata":{"deep":${deep}},${JSON.stringify(orderBody()).slice(1)}`;
  const inside = await oncepay.call('POST', '/v1/orders', { rawBody });
  expectProblem(inside, 400);
  expect(JSON.stringify(inside.body)).toContain('metadata.deep');
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test('an order with deep JSON that does not end is refused', async () => {
  const rawBody = '['.repeat(120_000);
  const refused = await oncepay.call('POST', '/v1/orders', { rawBody });
  expectProblem(refused, 400, '[0]'.repeat(16));
});

test.each([
  ['a list', '[]'],
  ['a list of one order', JSON.stringify([orderBody()])],
  ['null', 'null'],
  ['a text', '"order"'],
  ['a number', '300'],
  ['an empty object', '{}'],
])('%s instead of an order is refused', async (_what, rawBody) => {
  expectProblem(await oncepay.call('POST', '/v1/orders', { rawBody }), 400);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test('an order with several invalid fields is refused with all of them named', async () => {
  const body = { ...orderBody(), user_id: '', items: [{ ...item, sku: '', quantity: 0 }], more: 1 };
  const reply = await oncepay.call('POST', '/v1/orders', { body });
  for (const field of ['user_id', 'items[0].sku', 'items[0].quantity', 'more']) {
    expectProblem(reply, 400, field);
  }
});

test('an order with a repeated field is created with the last value', async () => {
  const rest = JSON.stringify(orderBody()).slice(1);
  const rawBody = `{"description":"first","amount":{"total":1},${rest}`;
  const reply = await oncepay.call('POST', '/v1/orders', { rawBody });
  expect([reply.status, reply.body]).toMatchObject([201, { amount: { total: 300 } }]);
});

test.each([
  ['empty', ''],
  ['with a space', 'a b'],
  ['too long', 'k'.repeat(256)],
  ['not ASCII', 'schl\u00fcssel'],
])(
  'an order with an Idempotency-Key that is %s is refused and nothing is stored',
  async (_what, key) => {
    const reply = await oncepay.call('POST', '/v1/orders', {
      body: orderBody(),
      headers: { 'idempotency-key': key },
    });
    expectProblem(reply, 400, 'Idempotency-Key');
    expect(await countRows(oncepay.sql)).toEqual(before);
  },
);

test('an order with two Idempotency-Keys is refused', async () => {
  const headers = { 'idempotency-key': 'one, two' };
  const reply = await oncepay.call('POST', '/v1/orders', { body: orderBody(), headers });
  expectProblem(reply, 400, 'Idempotency-Key');
});

test('an order for too much stock or with another kind leaves nothing behind', async () => {
  await oncepay.call('PUT', '/v1/products/scarce', {
    body: { name: 'Scarce', kind: 'physical', stock: 1 },
  });
  before = await countRows(oncepay.sql);
  const items = [{ ...item, sku: 'scarce' }];
  const short = await oncepay.call('POST', '/v1/orders', {
    body: orderBody({ items }),
    headers: { 'idempotency-key': 'scarce-1' },
  });
  expectProblem(short, 409, 'items[0].quantity');
  const kind = await oncepay.call('POST', '/v1/orders', {
    body: orderBody({ items: [{ ...item, sku: 'scarce', kind: 'virtual' }] }),
  });
  expectProblem(kind, 400, 'items[0].kind');
  expect(await countRows(oncepay.sql)).toEqual(before);
});

const FIELDS = [
  'channel',
  'user_id',
  'openid',
  'description',
  'items',
  'amount',
  'client_ip',
  'expires_in_seconds',
  'shop_order_no',
  'profit_sharing',
  'metadata',
  'something',
] as const;

test('an order with any JSON value in any field never breaks the api', async () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }));
  const value = fc.oneof(
    fc.jsonValue({ stringUnit: 'binary' }),
    text,
    fc.double(),
    fc.integer(),
    fc.constantFrom(1e21, -1, 0.1, '__proto__', 'constructor', '2147483648', [], {}),
  );
  const change = fc.oneof(
    fc.record({ field: fc.constantFrom(...FIELDS), value }),
    fc.record({ field: fc.constantFrom('sku', 'quantity', 'unit_price', 'kind', 'x'), value }),
  );
  await fc.assert(
    fc.asyncProperty(change, async ({ field, value: changed }) => {
      const inOrder = (FIELDS as readonly string[]).includes(field);
      const body = orderBody(
        inOrder ? { [field]: changed } : { items: [{ ...item, [field]: changed }] },
      );
      const reply = await oncepay.call('POST', '/v1/orders', { body });
      if (reply.status === 201) return;
      expectProblem(reply, 400);
    }),
    { numRuns: 150, seed: 20_260_101 },
  );
});
