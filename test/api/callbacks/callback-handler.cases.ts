// Callbacks that are refused, with their status and metric, or stored.
import { randomBytes } from 'node:crypto';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { exchange } from '../support/raw-http';
import { countRows } from '../support/refusals';

const LIMIT = 64 * 1024;

let oncepay: TestOncepay;
let before: Record<string, number>;
let port: number;
beforeAll(() => {
  oncepay = sharedOncepay();
  port = oncepay.apis[0]?.port ?? 0;
});
beforeEach(async () => {
  before = await countRows(oncepay.sql);
});

type Bytes = string | Uint8Array<ArrayBuffer>;

/** Well-formed headers with a signature that no key has made. */
const unsigned = (): Record<string, string> => ({
  'content-type': 'application/json',
  'wechatpay-timestamp': String(Math.floor(Date.now() / 1_000)),
  'wechatpay-nonce': 'n0nce',
  'wechatpay-serial': oncepay.env['WECHATPAY_PUBLIC_KEY_ID'] ?? '',
  'wechatpay-signature': randomBytes(256).toString('base64'),
});

async function post(body: Bytes, headers: Record<string, string> = unsigned()) {
  const reply = await fetch(oncepay.notifyUrl, { method: 'POST', headers, body });
  return { status: reply.status, text: await reply.text() };
}

/** The metric of one outcome, and of all refusals together. */
async function outcomes(): Promise<Record<string, number>> {
  const { body } = await oncepay.call('GET', '/metrics');
  const lines = (typeof body === 'string' ? body : '').matchAll(
    /^oncepay_callbacks_total\{outcome="(\w+)"\} (\d+)$/gm,
  );
  return Object.fromEntries([...lines].map(([, outcome = '', count]) => [outcome, Number(count)]));
}

async function counted(outcome: string, during: () => Promise<void>): Promise<void> {
  const was = await outcomes();
  await during();
  const is = await outcomes();
  expect(is[outcome]).toBe((was[outcome] ?? 0) + 1);
}

function expectFail(reply: { status: number; text: string }, status: number): void {
  expect([reply.status, JSON.parse(reply.text)]).toEqual([
    status,
    { code: 'FAIL', message: expect.stringMatching(/^\w+$/) as string },
  ]);
}

const HEADERS = [
  'wechatpay-timestamp',
  'wechatpay-nonce',
  'wechatpay-serial',
  'wechatpay-signature',
];

describe('headers', () => {
  test.each(HEADERS)(
    'a callback without the header %s is refused with 401, counted and not stored',
    async (name) => {
      const { [name]: _left, ...headers } = unsigned();
      await counted('missing_header', async () => expectFail(await post('{}', headers), 401));
      expect(await countRows(oncepay.sql)).toEqual(before);
    },
  );

  test.each(HEADERS)('a callback with a garbled header %s is refused with 401', async (name) => {
    for (const value of ['', ' ', 'garbage', '-1', '\u00ff\u00fe', 'x'.repeat(9_000), '1e10']) {
      expectFail(await post('{}', { ...unsigned(), [name]: value }), 401);
    }
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test.each(HEADERS)('a callback with the header %s twice is refused with 401', async (name) => {
    const lines = Object.entries({ ...unsigned(), 'content-length': '2' });
    const double = [...lines, [name, unsigned()[name] ?? '']].map(
      ([key, text]) => `${key}: ${text}`,
    );
    const head = ['POST /callbacks/wechat HTTP/1.1', 'host: x', ...double, '', ''].join('\r\n');
    expect((await exchange(port, [head, '{}'])).status).toBe(401);
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('a callback without any header of WeChat Pay is refused with 401', async () => {
    expectFail(await post('{}', {}), 401);
  });
});

describe('bodies', () => {
  test.each<[string, () => Bytes]>([
    ['empty', () => ''],
    ['no JSON', () => 'callback'],
    ['invalid UTF-8', () => new Uint8Array([0x7b, 0xff, 0xfe, 0x7d])],
    ['deep', () => '['.repeat(60_000)],
    ['exactly 64 KiB', () => ' '.repeat(LIMIT)],
  ])('an unsigned callback whose body is %s is refused with 401', async (_what, make) => {
    await counted('bad_signature', async () => expectFail(await post(make()), 401));
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('a callback of a byte over 64 KiB is refused with 413, also when chunked', async () => {
    await counted('too_large', async () => expectFail(await post(' '.repeat(LIMIT + 1)), 413));
    const head = 'POST /callbacks/wechat HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`;
    const reply = await exchange(port, [head, chunk, chunk, chunk, chunk, '1\r\n \r\n']);
    expect(reply.status).toBe(413);
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('a callback whose body stops half-way gets 408 and a closed connection', async () => {
    const head = 'POST /callbacks/wechat HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{';
    await counted('too_slow', async () => {
      const reply = await exchange(port, [head]);
      expect([reply.status, reply.headers.get('connection')]).toEqual([408, 'close']);
    });
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])(
    'a %s request to the callback route is refused with 405 and Allow',
    async (method) => {
      const reply = await fetch(oncepay.notifyUrl, { method });
      expect([reply.status, reply.headers.get('allow')]).toEqual([405, 'POST']);
      await reply.text();
    },
  );
});

test.each([
  ['tampered', 401, 'bad_signature'],
  ['bad_signature', 401, 'bad_signature'],
  ['signtest', 401, 'bad_signature'],
  ['stale', 401, 'stale'],
  ['unknown_serial', 401, 'unknown_serial'],
  ['undecryptable', 400, 'undecryptable'],
  ['malformed', 400, 'malformed'],
] as const)(
  'a callback of the kind %s is refused with %i, counted as %s and not stored',
  async (kind, status, outcome) => {
    const notifyUrl = oncepay.notifyUrl;
    await counted(outcome, async () => {
      const sent = await oncepay.simulator.sendRaw({ kind, notifyUrl });
      expect(sent.status).toBe(status);
    });
    expect(await countRows(oncepay.sql)).toEqual(before);
  },
);

test.each([-3_600, -301, 301, 3_600])(
  'a callback with a signature %i s old is refused with 401',
  async (staleSeconds) => {
    const { notifyUrl } = oncepay;
    const sent = await oncepay.simulator.sendRaw({ kind: 'stale', notifyUrl, staleSeconds });
    expect(sent.status).toBe(401);
  },
);

const envelope = (change: object): string =>
  JSON.stringify({
    id: 'notice-1',
    create_time: '2026-01-01T00:00:00+08:00',
    resource_type: 'encrypt-resource',
    event_type: 'TRANSACTION.SUCCESS',
    summary: 'x',
    resource: {
      original_type: 'transaction',
      algorithm: 'AEAD_AES_256_GCM',
      ciphertext: randomBytes(64).toString('base64'),
      associated_data: 'transaction',
      nonce: 'a'.repeat(12),
    },
    ...change,
  });

test.each<[string, string]>([
  ['an empty body', ''],
  ['a list', '[]'],
  ['null', 'null'],
  ['a text', '"x"'],
  ['an empty object', '{}'],
  ['a cut object', '{"id":"x"'],
  ['no id', envelope({ id: undefined })],
  ['a number as id', envelope({ id: 7 })],
  ['an empty id', envelope({ id: '' })],
  ['a NUL in the id', envelope({ id: 'a\0b' })],
  ['a long id', envelope({ id: 'x'.repeat(10_000) })],
  ['a NUL in the event type', envelope({ event_type: 'a\0b' })],
  ['no resource', envelope({ resource: undefined })],
  ['a resource of text', envelope({ resource: 'x' })],
  ['an empty resource', envelope({ resource: {} })],
  ['a resource of the prototype', envelope({}).replace('"resource":', '"__proto__":')],
  ['another algorithm', envelope({}).replace('AEAD_AES_256_GCM', 'none')],
  ['a short nonce', envelope({}).replace('aaaaaaaaaaaa', 'a')],
  ['a ciphertext of an unknown key', envelope({})],
  [
    'a ciphertext of 4 bytes',
    envelope({}).replace(/"ciphertext":"[^"]+"/, '"ciphertext":"AAAAAA"'),
  ],
  ['no Base64', envelope({}).replace(/"ciphertext":"[^"]+"/, '"ciphertext":"****"')],
  ['depth', `{"resource":${'['.repeat(30_000)}`],
])('a validly signed callback with %s is refused with 400 and not stored', async (_what, body) => {
  const { notifyUrl } = oncepay;
  const sent = await oncepay.simulator.sendRaw({ kind: 'payment', notifyUrl, body });
  expect(sent.status).toBe(400);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

const payment = (change: object) => ({
  out_trade_no: 'unknown_1',
  transaction_id: '4200001',
  trade_state: 'SUCCESS',
  amount: { total: 1, currency: 'CNY' },
  ...change,
});

test.each<[string, string | object]>([
  ['an unknown shape', { something: 'new' }],
  ['no JSON', 'not JSON at all'],
  ['an empty text', '""'],
  ['a NUL', { something: '\0' }],
  ['a lone surrogate', '{"something":"\\ud800"}'],
  ['a payment without a number', payment({ out_trade_no: undefined })],
  ['a __proto__', '{"__proto__":{"trade_state":"SUCCESS","out_trade_no":"abcdef"}}'],
  ['deep JSON', `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`],
])(
  'genuine, but of %s: 204, stored with the verdict ignored, and an alert',
  async (_what, resource) => {
    const { notifyUrl, simulator } = oncepay;
    const sent = await simulator.sendRaw({ kind: 'payment', notifyUrl, resource });
    expect(sent.status).toBe(204);
    const { rows } = await oncepay.sql.query(
      `SELECT kind, verdict, out_trade_no FROM notification_inbox WHERE notification_id = $1`,
      [sent.notificationId],
    );
    expect(rows).toEqual([{ kind: 'unknown', verdict: 'ignored', out_trade_no: null }]);
    await until('the alert is in the log', async () => {
      const log = (await oncepay.apis[0]?.output()) ?? '';
      return log
        .split('\n')
        .some((line) => line.includes('callback.ignored') && line.includes(sent.notificationId))
        ? true
        : null;
    });
  },
);

test.each<[string, object, string]>([
  ['a NUL in its number', { out_trade_no: 'abcdef\0' }, 'abcdef\ufffd'],
  ['a long number', { out_trade_no: 'x'.repeat(100) }, 'x'.repeat(64)],
  ['a Chinese number', { out_trade_no: '订单一' }, '订单一'],
  ['an unknown state', { trade_state: 'GIFT' }, 'unknown_state'],
  ['half a fen', { amount: { total: 0.5, currency: 'CNY' } }, 'unknown_half'],
  ['an amount of text', { amount: { total: '1', currency: 'CNY' } }, 'unknown_text'],
  ['1e21', { amount: { total: 1e21, currency: 'CNY' } }, 'unknown_1e21'],
  ['no transaction', { transaction_id: null }, 'unknown_none'],
])('genuine, but a payment of no order of ours with %s: 204 and unknown_order', async (...row) => {
  const [, change, no] = row;
  const { notifyUrl, simulator } = oncepay;
  const resource = payment({ out_trade_no: no, ...change });
  const sent = await simulator.sendRaw({ kind: 'payment', notifyUrl, resource });
  expect(sent.status).toBe(204);
  const reasons = await until('an intervention is open', async () => {
    const { rows } = await oncepay.sql.query<{ reason: string }>(
      `SELECT reason FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
      [no],
    );
    return rows.length > 0 ? rows.map(({ reason }) => reason) : null;
  });
  expect(reasons).toEqual(['unknown_order']);
});

test('callbacks that name no order send one alert an hour, and each has its line', async () => {
  const { notifyUrl, simulator } = oncepay;
  const nameless = payment({ out_trade_no: 7 });
  for (let n = 0; n < 3; n += 1) {
    await simulator.sendRaw({ kind: 'payment', notifyUrl, resource: nameless });
  }
  const lines = await until('each has its line', async () => {
    const log = ((await oncepay.apis[0]?.output()) ?? '').split('\n');
    return log.filter((line) => line.includes('callback.ignored')).length >= 3 ? log : null;
  });
  expect(lines.filter((line) => line.includes('"kind":"callback_ignored"'))).toHaveLength(1);
});

test('an event type with a NUL is stored without it', async () => {
  const { notifyUrl, simulator } = oncepay;
  const sent = await simulator.sendRaw({
    kind: 'payment',
    notifyUrl,
    eventType: 'TRANSACTION\0.SUCCESS',
    resource: payment({ out_trade_no: 'unknown_nul' }),
  });
  expect(sent.status).toBe(204);
  const { rows } = await oncepay.sql.query(
    'SELECT event_type FROM notification_inbox WHERE notification_id = $1',
    [sent.notificationId],
  );
  expect(rows).toEqual([{ event_type: 'TRANSACTION.SUCCESS' }]);
});

test('a sharing notice under the event type of a payment never marks an order paid', async () => {
  const no = await oncepay.newOrder();
  const sent = await oncepay.simulator.sendRaw({
    kind: 'profit_sharing',
    outTradeNo: no,
    eventType: 'TRANSACTION.SUCCESS',
  });
  expect(sent.status).toBe(204);
  const named = await oncepay.simulator.sendRaw({
    kind: 'payment',
    outTradeNo: no,
    resource: { out_trade_no: no, transaction_id: '42', out_order_no: 'p1', receiver: {} },
  });
  expect(named.status).toBe(204);
  const { rows } = await oncepay.sql.query(
    `SELECT kind, verdict FROM notification_inbox WHERE notification_id = ANY($1)`,
    [[sent.notificationId, named.notificationId]],
  );
  expect(rows).toEqual([
    { kind: 'profit_sharing', verdict: 'ignored' },
    { kind: 'profit_sharing', verdict: 'ignored' },
  ]);
  expect(await oncepay.order(no)).toMatchObject({ status: 'awaiting_payment', attention: null });
});

test('a callback with a known id and other content is stored too, with an alarm', async () => {
  const { notifyUrl, simulator } = oncepay;
  const first = await simulator.sendRaw({ kind: 'unknown_shape', notifyUrl, id: 'twice-1' });
  const resource = { something: 'else' };
  const other = await simulator.sendRaw({ kind: 'payment', notifyUrl, id: 'twice-1', resource });
  const again = await simulator.sendRaw({ kind: 'payment', notifyUrl, id: 'twice-1', resource });
  expect([first.status, other.status, again.status]).toEqual([204, 204, 204]);
  const { rows } = await oncepay.sql.query(
    `SELECT 1 FROM notification_inbox WHERE notification_id LIKE 'twice-1%'`,
  );
  expect(rows).toHaveLength(2);
  await until('the alarm is in the log', async () => {
    const log = (await oncepay.apis[0]?.output()) ?? '';
    return log.includes('callback.same_id_other_content') ? true : null;
  });
});

test('a valid callback after 100 bad signatures in a row is accepted at once', async () => {
  const no = await oncepay.newOrder();
  for (let index = 0; index < 100; index += 1) {
    const sent = await oncepay.simulator.sendRaw({ kind: 'bad_signature', outTradeNo: no });
    expect(sent.status).toBe(401);
  }
  const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
  expect(callback?.status).toBe(204);
  expect(callback?.durationMs).toBeLessThan(1_000);
  await oncepay.untilStatus(no, 'fulfilled');
});

test('the log after callbacks of all kinds has none of their content', async () => {
  const sent = await oncepay.simulator.sendRaw({
    kind: 'payment',
    notifyUrl: oncepay.notifyUrl,
    resource: { payer: { openid: 'oSecretOpenid' } },
  });
  expect(sent.status).toBe(204);
  const log = (await oncepay.apis[0]?.output()) ?? '';
  expect(log).not.toContain('oSecretOpenid');
  expect(log).not.toContain(oncepay.env['WECHATPAY_API_V3_KEY'] ?? 'no key');
});
