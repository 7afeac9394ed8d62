// The opening of WeChat's callbacks: verified, decrypted, parsed, or refused.
import type { IncomingHttpHeaders } from 'node:http';
import { startBench, type Bench } from '../support/client';
import {
  API_V3_KEY,
  envelope,
  NOW_MS,
  NOW_SECONDS,
  OLD_API_V3_KEY,
  PAYMENT,
  signedHeaders,
} from '../support/wechat';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ mode: 'public_key' });
});
afterAll(() => bench.close());

function open(
  body: string | Buffer,
  headers: IncomingHttpHeaders = signedHeaders(body, bench.wechat),
) {
  return bench.client.openCallback({ headers, rawBody: Buffer.from(body), nowMs: NOW_MS });
}

function rejected(status: number, reason: string) {
  return { kind: 'rejected', status, reason };
}

const TEXT = JSON.stringify(PAYMENT);

describe('opening a callback', () => {
  test('a payment is verified, decrypted and parsed without any call to WeChat', async () => {
    expect(await open(envelope(TEXT, { associatedData: 'transaction' }))).toMatchObject({
      kind: 'opened',
      notificationId: 'EV-2018022511223320873',
      eventType: 'TRANSACTION.SUCCESS',
      createTime: '2026-11-23T09:59:59+08:00',
      resource: TEXT,
      notice: { kind: 'payment', tradeState: 'SUCCESS', totalFen: 1230 },
    });
    expect(bench.fake.seen).toEqual([]);
  });

  test.each([
    ['a payment that calls itself a refund', TEXT, 'REFUND.SUCCESS', 'payment'],
    [
      'profit sharing that calls itself a payment',
      '{"transaction_id":"42","out_order_no":"P1","receiver":{"type":"MERCHANT_ID"}}',
      'TRANSACTION.SUCCESS',
      'profit_sharing',
    ],
    [
      'a refund that calls itself a payment',
      '{"out_trade_no":"2026112301","out_refund_no":"r1","refund_status":"SUCCESS"}',
      'TRANSACTION.SUCCESS',
      'refund',
    ],
    ['JSON of another shape', '{"hello":"world"}', 'TRANSACTION.SUCCESS', 'unknown'],
    ['text that is not JSON', 'SUCCESS', 'TRANSACTION.SUCCESS', 'unknown'],
  ])(
    'a callback with %s gets its kind from its fields',
    async (_name, resource, eventType, kind) => {
      expect(await open(envelope(resource, { eventType }))).toMatchObject({
        kind: 'opened',
        resource,
        notice: { kind },
      });
    },
  );

  test('a callback may lack event_type and create_time, or have strange ones', async () => {
    const body = JSON.stringify({
      ...(JSON.parse(envelope(TEXT)) as object),
      event_type: 7,
      create_time: undefined,
    });
    expect(await open(body)).toMatchObject({ kind: 'opened', eventType: null, createTime: null });
  });

  test('the previous APIv3 key is tried after the current one', async () => {
    const body = envelope(TEXT, { key: OLD_API_V3_KEY });
    expect(await open(body)).toEqual(rejected(400, 'undecryptable'));
    const rotating = bench.another({ apiV3Keys: [API_V3_KEY, OLD_API_V3_KEY] });
    const headers = signedHeaders(body, bench.wechat);
    const input = { headers, rawBody: Buffer.from(body), nowMs: NOW_MS };
    expect(await rotating.openCallback(input)).toMatchObject({ kind: 'opened' });
  });

  test('a callback that WeChat didn’t sign just now gets 401', async () => {
    const body = envelope(TEXT);
    const good = signedHeaders(body, bench.wechat);
    const stale = signedHeaders(body, bench.wechat, NOW_SECONDS - 301);
    const serial = { 'wechatpay-serial': 'PUB_KEY_ID_9' };
    const probe = { 'wechatpay-signature': 'WECHATPAY/SIGNTEST/AAAA' };
    expect(await open(body, {})).toEqual(rejected(401, 'missing_header'));
    expect(await open(body, { ...good, 'wechatpay-nonce': undefined })).toEqual(
      rejected(401, 'missing_header'),
    );
    expect(await open(body, stale)).toEqual(rejected(401, 'stale'));
    expect(await open(body, { ...good, ...serial })).toEqual(rejected(401, 'unknown_serial'));
    expect(await open(body, { ...good, ...probe })).toEqual(rejected(401, 'bad_signature'));
    expect(await open(`${body} `, good)).toEqual(rejected(401, 'bad_signature'));
    expect(bench.fake.seen).toEqual([]);
  });

  const resource = { algorithm: 'AEAD_AES_256_GCM', ciphertext: 'AAAA', nonce: '0123456789ab' };
  test.each<[string, string | Buffer]>([
    ['an empty body', ''],
    ['a body that is not JSON', 'id=1'],
    ['a list', '[]'],
    ['null', 'null'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['no id', JSON.stringify({ resource })],
    ['an empty id', JSON.stringify({ id: '', resource })],
    ['an id of 65 characters', JSON.stringify({ id: 'x'.repeat(65), resource })],
    ['an id with a line break', JSON.stringify({ id: 'a\nb', resource })],
    ['a number as id', JSON.stringify({ id: 1, resource })],
    ['no resource', JSON.stringify({ id: 'EV-1' })],
    [
      'another algorithm',
      JSON.stringify({ id: 'EV-1', resource: { ...resource, algorithm: 'X' } }),
    ],
    ['a short nonce', JSON.stringify({ id: 'EV-1', resource: { ...resource, nonce: 'abc' } })],
    [
      'associated data that is no text',
      JSON.stringify({ id: 'EV-1', resource: { ...resource, associated_data: 1 } }),
    ],
    ['very deep JSON', '['.repeat(64_000)],
    ['a resource in __proto__', `{"id":"EV-1","__proto__":${JSON.stringify({ resource })}}`],
  ])('a callback with %s is malformed: 400', async (_name, body) => {
    expect(await open(body)).toEqual(rejected(400, 'malformed'));
  });

  test.each(['', 'AAAA', Buffer.alloc(16).toString('base64'), Buffer.alloc(99).toString('base64')])(
    'a callback with the ciphertext %j is undecryptable: 400',
    async (ciphertext) => {
      const body = JSON.stringify({ id: 'EV-1', resource: { ...resource, ciphertext } });
      expect(await open(body)).toEqual(rejected(400, 'undecryptable'));
    },
  );
});
