// The simulator's signatures, prepays, queries and closes.
import {
  call,
  closeOrder,
  isSignedBy,
  prepay,
  prepayBody,
  query,
  start,
  type Fixture,
  type Signed,
} from './support/merchant-client';
import { anyText, matching } from './support/matchers';

let fixture: Fixture;
let sequence = 0;
const newNumber = (): string => `ORDER-${String(++sequence).padStart(6, '0')}`;
const now = (): number => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  fixture = await start();
});
afterAll(async () => {
  await fixture.simulator.close();
});
beforeEach(() => fixture.simulator.reset());

describe('the signature of a request', () => {
  const get = (more: Partial<Signed>): Signed => ({
    method: 'GET',
    path: `/v3/pay/transactions/out-trade-no/ORDER-1?mchid=${fixture.credentials.merchantId}`,
    ...more,
  });
  const cases: [string, () => Signed, number][] = [
    ['a right one', () => get({}), 404],
    ['an unknown mchid', () => get({ parts: { mchid: '1' } }), 401],
    ['another serial', () => get({ parts: { serial_no: 'AB' } }), 401],
    ['an empty nonce', () => get({ parts: { nonce_str: '' } }), 401],
    ['another timestamp than signed', () => get({ parts: { timestamp: String(now() - 1) } }), 401],
    ['a timestamp 301 s old', () => get({ timestamp: now() - 302 }), 401],
    ['a timestamp 301 s ahead', () => get({ timestamp: now() + 302 }), 401],
    ['a timestamp 290 s old', () => get({ timestamp: now() - 290 }), 404],
    ['a signature that is no Base64', () => get({ parts: { signature: '!!' } }), 401],
    ['another scheme', () => get({ headers: { Authorization: 'Bearer x' } }), 401],
  ];
  it.each(cases)(
    'a request with %s gets the response WeChat would send',
    async (_name, request, status) => {
      const answer = await call(fixture, request());
      expect(answer.status).toBe(status);
      if (status === 401) {
        expect(answer.json).toMatchObject({
          code: 'SIGN_ERROR',
          detail: { issue: anyText() },
        });
        expect(answer.headers.get('wechatpay-signature')).toBeNull();
      }
    },
  );

  it('a signature covers the raw body, byte for byte', async () => {
    const body = JSON.stringify(prepayBody(fixture.credentials, newNumber()));
    const path = '/v3/pay/transactions/jsapi';
    const sentBody = body.replace('{', '{ ');
    const answer = await call(fixture, { method: 'POST', path, body, sentBody });
    expect(answer.status).toBe(401);
  });

  it('a nonce is accepted once', async () => {
    const request = get({ nonce: 'the-same-nonce', timestamp: now() });
    expect((await call(fixture, request)).status).toBe(404);
    expect((await call(fixture, request)).status).toBe(401);
  });

  it('a signed request also needs the public key id, Accept and Content-Type', async () => {
    const body = JSON.stringify(prepayBody(fixture.credentials, newNumber()));
    const request: Signed = { method: 'POST', path: '/v3/pay/transactions/jsapi', body };
    const withHeader = (headers: Record<string, string>) => call(fixture, { ...request, headers });
    expect((await withHeader({ 'Wechatpay-Serial': 'PUB_KEY_ID_0' })).status).toBe(400);
    expect((await withHeader({ Accept: 'text/html' })).status).toBe(406);
    expect((await withHeader({ 'Content-Type': 'text/plain' })).status).toBe(415);
  });
});

describe('the response of the simulator', () => {
  it('each response is signed, errors and the empty 204 too', async () => {
    const no = newNumber();
    const answers = [
      await prepay(fixture, prepayBody(fixture.credentials, no)),
      await query(fixture, 'not-there'),
      await closeOrder(fixture, no),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 204]);
    const key = fixture.simulator.publicKeyOf();
    for (const { headers, text } of answers) {
      expect(isSignedBy(key?.pem ?? '', (name) => headers.get(name), text)).toBe(true);
      expect(headers.get('wechatpay-serial')).toBe(key?.id);
      expect(headers.get('request-id')).toMatch(/^[0-9A-F]{32}$/);
    }
  });
});

describe('a prepay at the simulator', () => {
  const changes: [string, Record<string, unknown>, string][] = [
    ['an unknown field', { surprise: 1 }, '/surprise'],
    ['a null', { attach: null }, '/attach'],
    ['an unknown inner field', { amount: { total: 1, fee: 1 } }, '/amount/fee'],
    ['a total of 0', { amount: { total: 0 } }, '/amount/total'],
    ['a total as text', { amount: { total: '1' } }, '/amount/total'],
    ['another currency', { amount: { total: 1, currency: 'USD' } }, '/amount/currency'],
    ['a short number', { out_trade_no: '12345' }, '/out_trade_no'],
    ['a number with a blank', { out_trade_no: '123456 7' }, '/out_trade_no'],
    ['128 characters of description', { description: '商'.repeat(128) }, '/description'],
    ['no openid', { payer: {} }, '/payer/openid'],
    ['a time without offset', { time_expire: '2099-01-01T00:00:00' }, '/time_expire'],
    ['a time too near', { time_expire: new Date().toISOString() }, '/time_expire'],
    ['a query in notify_url', { notify_url: 'https://a.example/?x=1' }, '/notify_url'],
    ['plain http to the world', { notify_url: 'http://a.example/' }, '/notify_url'],
    ['another mchid', { mchid: '1' }, '/mchid'],
  ];
  it.each(changes)(
    'a prepay with %s is PARAM_ERROR that names the field',
    async (_name, more, field) => {
      const answer = await prepay(fixture, prepayBody(fixture.credentials, newNumber(), more));
      expect(answer.status).toBe(400);
      expect(answer.json).toMatchObject({ code: 'PARAM_ERROR', detail: { field } });
    },
  );

  it('a prepay with another merchant’s app id is APPID_MCHID_NOT_MATCH', async () => {
    const body = prepayBody(fixture.credentials, newNumber(), { appid: 'wx0' });
    expect((await prepay(fixture, body)).json).toMatchObject({ code: 'APPID_MCHID_NOT_MATCH' });
  });

  it('a prepay of each api returns its own token', async () => {
    const body = prepayBody(fixture.credentials, newNumber(), { payer: undefined });
    const scene = { payer_client_ip: '10.0.0.1', h5_info: { type: 'Wap' } };
    const send = (api: string, more: object) =>
      prepay(fixture, { ...body, out_trade_no: newNumber(), ...more }, api);
    expect((await send('app', {})).json).toEqual({ prepay_id: matching(/^wx/) });
    expect((await send('native', {})).json).toEqual({
      code_url: matching(/^weixin:/),
    });
    expect((await send('h5', { scene_info: scene })).json).toEqual({
      h5_url: matching(/^https:/),
    });
    expect((await send('h5', {})).status).toBe(400);
  });
});

describe('a prepay of a number that was used before', () => {
  it('a repeat with identical parameters gets a fresh prepay id', async () => {
    const body = prepayBody(fixture.credentials, newNumber());
    const first = await prepay(fixture, body);
    const second = await prepay(fixture, body);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.text).not.toBe(second.text);
  });

  it('a repeat with other parameters or by another api is OUT_TRADE_NO_USED', async () => {
    const body = prepayBody(fixture.credentials, newNumber(), { payer: undefined });
    await prepay(fixture, body, 'native');
    for (const [more, api] of [
      [{ description: 'another' }, 'native'],
      [{}, 'app'],
    ] as const) {
      const answer = await prepay(fixture, { ...body, ...more }, api);
      expect(answer.status).toBe(403);
      expect(answer.json).toMatchObject({ code: 'OUT_TRADE_NO_USED' });
    }
  });

  it('a repeat after the payment is ORDERPAID, after the close ORDER_CLOSED', async () => {
    const paid = prepayBody(fixture.credentials, newNumber());
    const closed = prepayBody(fixture.credentials, newNumber());
    const [paidNo, closedNo] = [String(paid['out_trade_no']), String(closed['out_trade_no'])];
    await prepay(fixture, paid);
    await prepay(fixture, closed);
    await fixture.simulator.pay({ outTradeNo: paidNo, callbacks: 0 });
    expect((await closeOrder(fixture, closedNo)).status).toBe(204);
    expect((await closeOrder(fixture, closedNo)).status).toBe(204);
    expect((await closeOrder(fixture, paidNo)).json).toMatchObject({ code: 'ORDERPAID' });
    expect((await prepay(fixture, paid)).json).toMatchObject({ code: 'ORDERPAID' });
    expect((await prepay(fixture, closed)).json).toMatchObject({ code: 'ORDER_CLOSED' });
    await expect(fixture.simulator.pay({ outTradeNo: closedNo })).rejects.toThrow('closed');
  });

  it('a prepay is recorded with the hash of its body', async () => {
    const no = newNumber();
    const body = prepayBody(fixture.credentials, no);
    await prepay(fixture, body);
    await prepay(fixture, body);
    const hashes = fixture.simulator.requestsOf(no).map(({ bodySha256 }) => bodySha256);
    expect(hashes).toHaveLength(2);
    expect(new Set(hashes).size).toBe(1);
    expect(fixture.simulator.requests().counts.prepay).toBe(2);
  });
});

describe('a query at the simulator', () => {
  it('a query returns NOTPAY, then SUCCESS with all fields, also by transaction id', async () => {
    const no = newNumber();
    await prepay(fixture, prepayBody(fixture.credentials, no, { attach: 'a' }));
    expect((await query(fixture, no)).json).toMatchObject({ trade_state: 'NOTPAY' });
    const paid = await fixture.simulator.pay({ outTradeNo: no, callbacks: 0 });
    const answer = await query(fixture, no);
    expect(answer.json).toMatchObject({
      appid: fixture.credentials.appId,
      mchid: fixture.credentials.merchantId,
      out_trade_no: no,
      transaction_id: matching(/^\d{28}$/),
      trade_type: 'JSAPI',
      trade_state: 'SUCCESS',
      attach: 'a',
      success_time: matching(/\+08:00$/),
      payer: { openid: 'oUser' },
      amount: { total: 1230, payer_total: 1230, currency: 'CNY', payer_currency: 'CNY' },
    });
    const id = paid.transactionId ?? '';
    const path = `/v3/pay/transactions/id/${id}?mchid=${fixture.credentials.merchantId}`;
    expect((await call(fixture, { method: 'GET', path })).json).toEqual(answer.json);
  });

  it('a query shows the mismatch that the payment was made with', async () => {
    const no = newNumber();
    await prepay(fixture, prepayBody(fixture.credentials, no));
    await fixture.simulator.pay({ outTradeNo: no, totalFen: 1, merchantId: '1', callbacks: 0 });
    expect((await query(fixture, no)).json).toMatchObject({ mchid: '1', amount: { total: 1 } });
  });
});

it('a close is refused as too early when the test sets that', async () => {
  const no = newNumber();
  await prepay(fixture, prepayBody(fixture.credentials, no));
  fixture.simulator.setRefuseCloseWithin(60_000);
  expect((await closeOrder(fixture, no)).json).toMatchObject({ code: 'INVALID_REQUEST' });
  fixture.simulator.setRefuseCloseWithin(0);
  expect((await closeOrder(fixture, no)).status).toBe(204);
});
