// The client's payment calls, the outcome of each response, and timeouts.
import { createServer } from 'node:net';
import { ERRORS } from '../../../domain/error-catalogue';
import type { PrepayRequest } from '../../../providers/wechatpay/client';
import { startBench, type Bench } from './support/client';
import type { Plan } from './support/fake-wechat';
import {
  APP_ID,
  makeKeyPair,
  MERCHANT_ID,
  NOW_SECONDS,
  PAYMENT,
  PUBLIC_KEY_ID,
  signedHeaders,
} from './support/wechat';

const OUT_TRADE_NO = PAYMENT.out_trade_no;
const ORDER = { outTradeNo: OUT_TRADE_NO, merchantId: MERCHANT_ID };

const PREPAY: PrepayRequest = {
  api: 'jsapi',
  appId: APP_ID,
  merchantId: MERCHANT_ID,
  outTradeNo: OUT_TRADE_NO,
  description: '一斤“茶” – 500 g',
  notifyUrl: 'https://pay.example.com/callbacks/wechat',
  timeExpire: '2026-11-23T10:31:00+08:00',
  totalFen: 1230,
  currency: 'CNY',
  openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o',
  clientIp: '203.0.113.7',
  profitSharing: false,
};

const COMMON =
  `"appid":"${APP_ID}","mchid":"${MERCHANT_ID}","description":"一斤“茶” – 500 g",` +
  `"out_trade_no":"${OUT_TRADE_NO}","time_expire":"2026-11-23T10:31:00+08:00",` +
  '"notify_url":"https://pay.example.com/callbacks/wechat"';
const AMOUNT = '"amount":{"total":1230,"currency":"CNY"}';

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({ mode: 'public_key' });
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.fake.seen.length = 0;
  bench.fake.plans.length = 0;
  bench.events.length = 0;
});

function plan(...plans: readonly Plan[]): void {
  bench.fake.plans.push(...plans);
}

describe('a prepay call', () => {
  test.each([
    [
      'jsapi',
      '{"prepay_id":"wx261"}',
      'wx261',
      ',"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}',
    ],
    ['app', '{"prepay_id":"wx262"}', 'wx262', ''],
    [
      'h5',
      '{"h5_url":"https://wx.tenpay.com/c?p=1&x=2"}',
      'https://wx.tenpay.com/c?p=1&x=2',
      ',"scene_info":{"payer_client_ip":"203.0.113.7","h5_info":{"type":"Wap"}}',
    ],
    ['native', '{"code_url":"weixin://wxpay/x"}', 'weixin://wxpay/x', ''],
  ] as const)(
    'a prepay of %s sends exactly these bytes, and its response is read',
    async (...row) => {
      const [api, answer, token, tail] = row;
      plan({ status: 200, body: answer });
      expect(await bench.client.prepay({ ...PREPAY, api })).toEqual({
        kind: 'ok',
        value: { token },
        requestId: '08F78BB4A5',
      });
      expect(bench.fake.seen).toHaveLength(1);
      expect(bench.fake.seen[0]).toMatchObject({
        method: 'POST',
        path: `/v3/pay/transactions/${api}`,
        body: `{${COMMON},${AMOUNT}${tail}}`,
      });
    },
  );

  test('a prepay for profit sharing has the flag and leaves out absent fields', async () => {
    plan({ status: 200, body: '{"prepay_id":"wx261"}' });
    const absent = { openid: undefined, clientIp: undefined };
    await bench.client.prepay({ ...PREPAY, ...absent, profitSharing: true });
    const settle = '"settle_info":{"profit_sharing":true}';
    expect(bench.fake.seen[0]?.body).toBe(`{${COMMON},${settle},${AMOUNT}}`);
  });

  test('a repeated prepay has the same bytes under another nonce', async () => {
    bench.fake.fallback = () => ({ status: 200, body: '{"prepay_id":"wx261"}' });
    await bench.client.prepay(PREPAY);
    await bench.client.prepay({ ...PREPAY });
    const [first, second] = bench.fake.seen;
    expect(second?.body).toBe(first?.body);
    expect(second?.nonce).not.toBe(first?.nonce);
  });

  test('a prepay has the order’s appid, not the configured one', async () => {
    plan({ status: 200, body: '{"prepay_id":"wx261"}' });
    const client = bench.another({ appId: 'wxtoday' });
    await client.prepay(PREPAY);
    expect(bench.fake.seen[0]?.body).toContain(`"appid":"${APP_ID}"`);
  });

  test('a prepay names the key for the response’s signature, and accepts JSON', async () => {
    plan({ status: 200, body: '{"prepay_id":"wx261"}' });
    await bench.client.prepay(PREPAY);
    expect(bench.fake.seen[0]?.headers).toMatchObject({
      'wechatpay-serial': PUBLIC_KEY_ID,
      accept: 'application/json',
      'content-type': 'application/json',
      'user-agent': 'oncepay',
    });
    expect(bench.fake.seen[0]?.headers['accept-encoding']).toBeUndefined();
  });

  test('a prepay in certificate mode names no key', async () => {
    const client = bench.another({ publicKey: undefined });
    plan({ status: 404, signedBy: null, body: '{"code":"PARAM_ERROR","message":"no"}' });
    expect(await client.prepay(PREPAY)).toMatchObject({ kind: 'refused' });
    expect(bench.fake.seen[0]?.headers['wechatpay-serial']).toBeUndefined();
  });

  test.each(['{}', '{"prepay_id":1}', '{"prepay_id":""}', '{"prepay_id":"a\\nb"}', '[]', 'x', ''])(
    'a prepay that gets %j is unknown',
    async (body) => {
      plan({ status: 200, body });
      const outcome = await bench.client.prepay(PREPAY);
      expect(outcome).toMatchObject({ kind: 'unknown', code: 'NOT_YET', status: 200 });
    },
  );
});

describe('the calls query and close', () => {
  test('a query has the order’s merchant and returns notice and text', async () => {
    const raw = JSON.stringify(PAYMENT);
    plan({ status: 200, body: raw });
    const outcome = await bench.client.query(ORDER);
    expect(outcome).toMatchObject({
      kind: 'ok',
      value: { raw, notice: { kind: 'payment', tradeState: 'SUCCESS', totalFen: 1230 } },
    });
    expect(bench.fake.seen[0]).toMatchObject({
      method: 'GET',
      path: `/v3/pay/transactions/out-trade-no/${OUT_TRADE_NO}?mchid=${MERCHANT_ID}`,
      body: '',
    });
  });

  test('a query whose response is about another order, or no payment, is unknown', async () => {
    plan(
      { status: 200, body: JSON.stringify({ ...PAYMENT, out_trade_no: 'another-order' }) },
      { status: 200, body: '{"refund_status":"SUCCESS"}' },
      { status: 200, body: Buffer.from([0x7b, 0xff, 0x7d]).toString('latin1') },
    );
    for (let i = 0; i < 3; i += 1) {
      expect(await bench.client.query(ORDER)).toMatchObject({
        kind: 'unknown',
        code: 'NOT_YET',
      });
    }
  });

  test('a number with other characters can’t reach another path', async () => {
    plan({ status: 404, body: '{"code":"ORDER_NOT_EXIST","message":"no"}' });
    await bench.client.query({ ...ORDER, outTradeNo: '../a?b|c' });
    expect(bench.fake.seen[0]?.path).toBe(
      `/v3/pay/transactions/out-trade-no/..%2Fa%3Fb%7Cc?mchid=${MERCHANT_ID}`,
    );
  });

  test('a close is definite by a signed 204, and by 200', async () => {
    plan({ status: 204 }, { status: 200, body: '{}' });
    const closed = { kind: 'ok', value: null, requestId: '08F78BB4A5' };
    expect(await bench.client.close(ORDER)).toEqual(closed);
    expect(await bench.client.close(ORDER)).toEqual(closed);
    expect(bench.fake.seen[0]).toMatchObject({
      method: 'POST',
      path: `/v3/pay/transactions/out-trade-no/${OUT_TRADE_NO}/close`,
      body: `{"mchid":"${MERCHANT_ID}"}`,
    });
  });

  test('a close that gets 202 is not closed', async () => {
    plan({ status: 202, body: '{"code":"USERPAYING","message":"支付中"}' });
    expect(await bench.client.close(ORDER)).toMatchObject({ kind: 'unknown', code: 'USER_PAYING' });
  });

  test('a merchant id that is no longer ours is refused as a settings error', async () => {
    const outcome = await bench.client.query({ ...ORDER, merchantId: '1900000999' });
    expect(outcome).toMatchObject({ kind: 'refused', status: 401, code: 'CONFIGURATION_ERROR' });
  });

  test('a call is logged with ids alone', async () => {
    plan({ status: 200, body: JSON.stringify(PAYMENT) });
    await bench.client.query(ORDER);
    expect(bench.events).toEqual([
      {
        event: 'wechat.called',
        operation: 'query',
        outTradeNo: OUT_TRADE_NO,
        outcome: 'ok',
        status: null,
        code: null,
        wechatCode: null,
        requestId: '08F78BB4A5',
        durationMs: expect.any(Number) as unknown,
      },
    ]);
    expect(JSON.stringify(bench.events)).not.toContain(PAYMENT.payer.openid);
  });
});

const stranger = { ...makeKeyPair(), serial: PUBLIC_KEY_ID };
const unknownSerial = { ...stranger, serial: 'PUB_KEY_ID_OF_NOBODY' };
const ERROR = '{"code":"ORDERPAID","message":"该订单已支付"}';
const STALE = { headers: { 'wechatpay-timestamp': String(NOW_SECONDS - 301) } };
const HTML = '<html><body>Bad gateway</body></html>';
const PAID = JSON.stringify(PAYMENT);
const forged = { kind: 'unknown', code: 'RESPONSE_FORGED' };

describe('the outcome of each response', () => {
  test.each<[string, Plan, object]>([
    ['a signed 200', { status: 200, body: PAID }, { kind: 'ok' }],
    ['an unsigned 200', { status: 200, body: PAID, signedBy: null }, forged],
    ['a 200 signed by a stranger', { status: 200, body: PAID, signedBy: stranger }, forged],
    ['a 200 of an unknown serial', { status: 200, body: PAID, signedBy: unknownSerial }, forged],
    ['a 200 signed long ago', { status: 200, body: PAID, ...STALE }, forged],
    [
      'a 200 with half a signature',
      { status: 200, body: PAID, headers: { 'wechatpay-nonce': '' } },
      forged,
    ],
    ['an unsigned 202', { status: 202, body: ERROR, signedBy: null }, forged],
    ['a signed 204 where a body is due', { status: 204 }, { kind: 'unknown', status: 204 }],
    [
      'a signed 4xx',
      { status: 400, body: ERROR },
      { kind: 'refused', status: 400, code: 'ORDER_PAID', wechatCode: 'ORDERPAID' },
    ],
    [
      'an unsigned 4xx',
      { status: 400, body: ERROR, signedBy: null },
      { kind: 'refused', code: 'ORDER_PAID', message: '该订单已支付', requestId: '08F78BB4A5' },
    ],
    ['a 4xx signed by a stranger', { status: 400, body: ERROR, signedBy: stranger }, forged],
    ['a 4xx signed long ago', { status: 400, body: ERROR, ...STALE }, forged],
    [
      "a proxy's 403 in HTML",
      { status: 403, body: HTML, signedBy: null },
      { kind: 'unknown', code: 'NETWORK_ERROR', status: 403 },
    ],
    [
      "somebody's 404 in JSON",
      { status: 404, body: '{"error":"not found"}', signedBy: null },
      { kind: 'unknown', code: 'NETWORK_ERROR' },
    ],
    [
      'a 429 without a body',
      { status: 429, signedBy: null },
      { kind: 'unknown', code: 'FREQUENCY_LIMITED' },
    ],
    [
      'a 429 with one',
      { status: 429, body: '{"code":"RATE","message":"慢"}' },
      { kind: 'refused', code: 'FREQUENCY_LIMITED' },
    ],
    [
      'a redirect',
      { status: 302, signedBy: null, headers: { location: '/elsewhere' } },
      { kind: 'unknown', code: 'NETWORK_ERROR', status: 302 },
    ],
    [
      'a signed 500 that says the order is paid',
      { status: 500, body: ERROR },
      { kind: 'unknown', code: 'SYSTEM_ERROR', status: 500 },
    ],
    [
      'an unsigned 502 in HTML',
      { status: 502, body: HTML, signedBy: null },
      { kind: 'unknown', code: 'SYSTEM_ERROR' },
    ],
    [
      'a 500 of the bank',
      { status: 500, body: '{"code":"BANK_ERROR","message":"银行"}' },
      { kind: 'unknown', code: 'BANK_ERROR' },
    ],
  ])('%s', async (_name, answer, expected) => {
    plan(answer);
    expect(await bench.client.query(ORDER)).toMatchObject(expected);
    expect(bench.fake.seen).toHaveLength(1);
  });

  test('a signature over other bytes than those that came is forged', async () => {
    const other = JSON.stringify({ ...PAYMENT, amount: { total: 1, currency: 'CNY' } });
    plan({ status: 200, body: PAID, signedBy: null, headers: signedHeaders(other, bench.wechat) });
    expect(await bench.client.query(ORDER)).toMatchObject(forged);
  });
});

describe('a response that doesn’t come', () => {
  const lost = { kind: 'unknown', code: 'NETWORK_ERROR', status: null, requestId: null };

  test('a response that never comes is a timeout', async () => {
    const client = bench.another({ requestTimeoutMs: 50 });
    plan({ raw: () => undefined });
    expect(await client.query(ORDER)).toMatchObject({
      kind: 'unknown',
      code: 'TIMEOUT',
      detail: 'no response within 50 ms',
    });
  });

  test('a body that never ends is a timeout', async () => {
    const client = bench.another({ requestTimeoutMs: 50 });
    plan({ raw: (response) => response.writeHead(200).write('{') });
    expect(await client.query(ORDER)).toMatchObject({ kind: 'unknown', code: 'TIMEOUT' });
  });

  test('a connection cut before the head or within the body is unknown', async () => {
    plan(
      { raw: (response) => response.destroy() },
      {
        raw: (response) => {
          response.writeHead(200, { 'content-length': '100' });
          response.write('{', () => response.destroy());
        },
      },
    );
    expect(await bench.client.query(ORDER)).toMatchObject(lost);
    expect(await bench.client.query(ORDER)).toMatchObject(lost);
    expect(bench.fake.seen).toHaveLength(2);
  });

  test('a refused connection and an unknown host name are unknown', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    await new Promise((resolve) => server.close(resolve));
    const refused = bench.another({ baseUrl: `http://127.0.0.1:${address.port}` });
    expect(await refused.close(ORDER)).toMatchObject({ ...lost, detail: 'ECONNREFUSED' });
    const nowhere = bench.another({ baseUrl: 'http://nowhere.invalid' });
    expect(await nowhere.close(ORDER)).toMatchObject(lost);
  });

  test('a response of more than a megabyte is cancelled', async () => {
    plan({ status: 200, body: `"${'x'.repeat(1024 * 1024)}"` });
    expect(await bench.client.query(ORDER)).toMatchObject(lost);
  });

  test('a call can be cancelled by the caller, before it and while it waits', async () => {
    const late = new AbortController();
    plan({ raw: () => late.abort() });
    const outcome = await bench.client.query({ ...ORDER, signal: late.signal });
    expect(outcome).toMatchObject({ ...lost, detail: 'cancelled by the caller' });
    const early = { ...ORDER, signal: AbortSignal.abort() };
    expect(await bench.client.query(early)).toMatchObject(lost);
    expect(bench.fake.seen).toHaveLength(1);
  });

  test('a client that was closed still returns an unknown outcome', async () => {
    const client = bench.another({});
    await client.end();
    await client.end();
    expect(await client.query(ORDER)).toMatchObject(lost);
  });

  test('every code of an outcome is in the catalogue', () => {
    for (const code of ['TIMEOUT', 'NETWORK_ERROR', 'TEMPORARY_FAILURE', 'RESPONSE_FORGED']) {
      expect(Object.keys(ERRORS)).toContain(code);
    }
  });
});

describe('the construction of a client', () => {
  test.each([
    'https://api.mch.weixin.qq.com/prefix',
    'https://api.mch.weixin.qq.com/?a=1',
    'https://user:secret@api.mch.weixin.qq.com',
    'ftp://api.mch.weixin.qq.com',
    'api.mch.weixin.qq.com',
  ])('a client refuses the base URL %s', (baseUrl) => {
    expect(() => bench.another({ baseUrl })).toThrow(TypeError);
  });
});
