// The client's refund calls: bytes sent, responses read, outcomes.
import { constants, privateDecrypt, type KeyObject } from 'node:crypto';
import type {
  AbnormalRefundRequest,
  RefundRequest,
} from '../../../../providers/wechatpay/calls/refunds';
import { startBench, type Bench } from '../support/client';
import type { Plan, SeenRequest } from '../support/fake-wechat';
import {
  certificatesBody,
  makePlatform,
  MERCHANT_ID,
  NOW_MS,
  PAYMENT,
  PUBLIC_KEY_ID,
} from '../support/wechat';

const OUT_REFUND_NO = 'op_1|a*b@c';
const REFUND_ID = '50300908092026112300000001';
const REFERENCE = { outRefundNo: OUT_REFUND_NO, merchantId: MERCHANT_ID };

const REQUEST: RefundRequest = {
  merchantId: MERCHANT_ID,
  transactionId: PAYMENT.transaction_id,
  outRefundNo: OUT_REFUND_NO,
  reason: '“茶”不好喝',
  notifyUrl: 'https://pay.example.com/callbacks/wechat',
  refundFen: 30,
  totalFen: 1230,
  currency: 'CNY',
};

const RESPONSE = {
  refund_id: REFUND_ID,
  out_refund_no: OUT_REFUND_NO,
  transaction_id: PAYMENT.transaction_id,
  out_trade_no: PAYMENT.out_trade_no,
  channel: 'ORIGINAL',
  user_received_account: '支付用户零钱',
  create_time: '2026-11-23T10:00:00+08:00',
  status: 'PROCESSING',
  funds_account: 'AVAILABLE',
  amount: { total: 1230, refund: 30, payer_total: 1200, payer_refund: 29, currency: 'CNY' },
};

const STATE = {
  outRefundNo: OUT_REFUND_NO,
  outTradeNo: PAYMENT.out_trade_no,
  refundId: REFUND_ID,
  transactionId: PAYMENT.transaction_id,
  status: 'PROCESSING',
  reportedStatus: 'PROCESSING',
  refundFen: 30,
  totalFen: 1230,
  currency: 'CNY',
  successTime: null,
};

const TO_USER: AbnormalRefundRequest = {
  merchantId: MERCHANT_ID,
  refundId: REFUND_ID,
  outRefundNo: OUT_REFUND_NO,
  to: {
    kind: 'user_bank_card',
    bankType: 'ICBC_DEBIT',
    bankAccount: '6222020200112230',
    realName: '王小明',
  },
};

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

function answered(more: Record<string, unknown> = {}): Plan {
  return { status: 200, body: JSON.stringify({ ...RESPONSE, ...more }) };
}

/** As WeChat does: RSA-OAEP with SHA-1. */
function decrypted(text: unknown, key: KeyObject): string {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const sealed = Buffer.from(String(text), 'base64');
  return privateDecrypt({ key, padding, oaepHash: 'sha1' }, sealed).toString();
}

function bodyOf(request: SeenRequest | undefined): Record<string, unknown> {
  return JSON.parse(request?.body ?? '{}') as Record<string, unknown>;
}

describe('a refund request', () => {
  const TAIL =
    '"notify_url":"https://pay.example.com/callbacks/wechat",' +
    '"amount":{"refund":30,"total":1230,"currency":"CNY"}}';

  test('a refund sends exactly these bytes, and its response is read', async () => {
    plan(answered());
    expect(await bench.client.refund(REQUEST)).toEqual({
      kind: 'ok',
      value: STATE,
      requestId: '08F78BB4A5',
    });
    expect(bench.fake.seen).toHaveLength(1);
    expect(bench.fake.seen[0]).toMatchObject({
      method: 'POST',
      path: '/v3/refund/domestic/refunds',
      body:
        `{"transaction_id":"${PAYMENT.transaction_id}","out_refund_no":"${OUT_REFUND_NO}",` +
        `"reason":"“茶”不好喝",${TAIL}`,
    });
    expect(bench.fake.seen[0]?.headers['wechatpay-serial']).toBe(PUBLIC_KEY_ID);
  });

  test('a refund without a reason leaves it out, and twice it is the same bytes', async () => {
    plan(answered(), answered());
    await bench.client.refund({ ...REQUEST, reason: null });
    await bench.client.refund({ ...REQUEST, reason: null });
    const [first, second] = bench.fake.seen;
    expect(first?.body).toBe(
      `{"transaction_id":"${PAYMENT.transaction_id}","out_refund_no":"${OUT_REFUND_NO}",${TAIL}`,
    );
    expect(second?.body).toBe(first?.body);
  });

  test('a refund refused for the balance is NOT_ENOUGH, logged with ids alone', async () => {
    plan({ status: 403, body: '{"code":"NOT_ENOUGH","message":"余额不足"}' });
    expect(await bench.client.refund(REQUEST)).toMatchObject({
      kind: 'refused',
      status: 403,
      code: 'NOT_ENOUGH',
    });
    expect(bench.events).toEqual([
      {
        event: 'wechat.called',
        operation: 'refund',
        outRefundNo: OUT_REFUND_NO,
        outcome: 'refused',
        status: 403,
        code: 'NOT_ENOUGH',
        wechatCode: 'NOT_ENOUGH',
        requestId: '08F78BB4A5',
        durationMs: expect.any(Number) as unknown,
      },
    ]);
  });

  test.each<[string, Plan, object]>([
    ['an unsigned 200', { ...answered(), signedBy: null }, { code: 'RESPONSE_FORGED' }],
    ['a 500', { status: 500, body: '{"code":"SYSTEM_ERROR","message":"?"}' }, { status: 500 }],
    ['a cut', { raw: (response) => response.destroy() }, { code: 'NETWORK_ERROR', status: null }],
    ['a list', { status: 200, body: '[]' }, { code: 'NOT_YET' }],
    ['no JSON', { status: 200, body: 'ok' }, { code: 'NOT_YET' }],
  ])('a refund that gets %s is unknown', async (_name, answer, expected) => {
    plan(answer);
    expect(await bench.client.refund(REQUEST)).toMatchObject({ kind: 'unknown', ...expected });
  });
});

test.each<[string, Record<string, unknown>, object]>([
  ['names another refund', { out_refund_no: 'another' }, { outRefundNo: 'another' }],
  ['names no refund', { out_refund_no: undefined }, { outRefundNo: null }],
  ['names no order and no payment', { out_trade_no: 1, transaction_id: '' }, { outTradeNo: null }],
  ['has an unknown status', { status: 'DONE' }, { status: null, reportedStatus: 'DONE' }],
  ['has no status', { status: undefined }, { status: null, reportedStatus: null }],
  ['has no refund id', { refund_id: undefined }, { refundId: null }],
  ['has an amount as text', { amount: { refund: '30' } }, { refundFen: null }],
  ['has a list for the amount', { amount: [] }, { refundFen: null }],
])('a signed response to a refund that %s is read', async (_what, change, seen) => {
  plan(answered(change));
  expect(await bench.client.refund(REQUEST)).toMatchObject({ kind: 'ok', value: seen });
});

describe('a refund query', () => {
  test.each(['SUCCESS', 'CLOSED', 'PROCESSING', 'ABNORMAL'])(
    'a queried refund can be %s',
    async (status) => {
      plan(answered({ status }));
      expect(await bench.client.queryRefund(REFERENCE)).toMatchObject({
        kind: 'ok',
        value: { ...STATE, status, reportedStatus: status },
      });
    },
  );

  test('a refund query encodes its number, so that it reaches no other path', async () => {
    plan(answered());
    await bench.client.queryRefund(REFERENCE);
    await bench.client.queryRefund({ ...REFERENCE, outRefundNo: '../a?b' });
    expect(bench.fake.seen).toMatchObject([
      { method: 'GET', path: '/v3/refund/domestic/refunds/op_1%7Ca*b%40c', body: '' },
      { path: '/v3/refund/domestic/refunds/..%2Fa%3Fb' },
    ]);
  });

  test('a queried refund has its success time, without absent or unreadable fields', async () => {
    const successTime = '2026-11-23T12:00:00+08:00';
    plan(
      answered({ status: 'SUCCESS', success_time: successTime }),
      answered({ success_time: '', amount: { currency: 1 } }),
      answered({ amount: undefined }),
    );
    const amounts = { refundFen: null, totalFen: null, currency: null };
    for (const value of [
      { ...STATE, status: 'SUCCESS', reportedStatus: 'SUCCESS', successTime },
      amounts,
      amounts,
    ]) {
      expect(await bench.client.queryRefund(REFERENCE)).toMatchObject({ kind: 'ok', value });
    }
  });

  test.each(['RESOURCE_NOT_EXISTS', 'RESOURCE_NOT_EXIST', 'RESOURCENOTEXISTS'])(
    'a query of a refund that WeChat does not know is refused by %s',
    async (code) => {
      plan({ status: 404, body: `{"code":"${code}","message":"退款单不存在"}` });
      expect(await bench.client.queryRefund(REFERENCE)).toMatchObject({
        kind: 'refused',
        status: 404,
        code: 'RESOURCE_NOT_EXISTS',
      });
    },
  );

  test('a refund query that returns another number says so', async () => {
    plan(answered({ out_refund_no: `${OUT_REFUND_NO}2` }));
    const outcome = await bench.client.queryRefund(REFERENCE);
    expect(outcome).toMatchObject({ kind: 'ok', value: { outRefundNo: `${OUT_REFUND_NO}2` } });
  });

  test('a refund query can be cancelled by the caller', async () => {
    const given = { ...REFERENCE, signal: AbortSignal.abort() };
    expect(await bench.client.queryRefund(given)).toMatchObject({ kind: 'unknown' });
    expect(bench.fake.seen).toHaveLength(0);
  });
});

describe('an abnormal refund', () => {
  test('a redirect to a user’s card has an account that only WeChat can read', async () => {
    plan(answered());
    expect(await bench.client.applyAbnormalRefund(TO_USER)).toMatchObject({
      kind: 'ok',
      value: STATE,
    });
    const [seen] = bench.fake.seen;
    expect(seen).toMatchObject({
      method: 'POST',
      path: `/v3/refund/domestic/refunds/${REFUND_ID}/apply-abnormal-refund`,
      headers: { 'wechatpay-serial': PUBLIC_KEY_ID, 'content-type': 'application/json' },
    });
    const body = bodyOf(seen);
    expect(Object.keys(body)).toEqual([
      'out_refund_no',
      'type',
      'bank_type',
      'bank_account',
      'real_name',
    ]);
    expect(body).toMatchObject({ type: 'USER_BANK_CARD', bank_type: 'ICBC_DEBIT' });
    expect(decrypted(body['bank_account'], bench.wechat.privateKey)).toBe('6222020200112230');
    expect(decrypted(body['real_name'], bench.wechat.privateKey)).toBe('王小明');
    expect(bench.events).toMatchObject([{ operation: 'abnormal_refund', outcome: 'ok' }]);
  });

  test('a redirect to a merchant’s card has nothing to encrypt', async () => {
    plan(answered());
    await bench.client.applyAbnormalRefund({ ...TO_USER, to: { kind: 'merchant_bank_card' } });
    expect(bench.fake.seen[0]?.body).toBe(
      `{"out_refund_no":"${OUT_REFUND_NO}","type":"MERCHANT_BANK_CARD"}`,
    );
  });

  test('a redirect with a name longer than a key can encrypt is our mistake', async () => {
    const to = { ...TO_USER.to, realName: '王'.repeat(72) };
    await expect(bench.client.applyAbnormalRefund({ ...TO_USER, to })).rejects.toThrow();
    expect(bench.fake.seen).toHaveLength(0);
  });

  test('a redirect in certificate mode uses the newest certificate, fetched first', async () => {
    const older = makePlatform('0A01', { notBeforeMs: NOW_MS - 2_000_000 });
    const newer = makePlatform('0A02', { notBeforeMs: NOW_MS - 1_000_000 });
    const future = makePlatform('0A03', { notBeforeMs: NOW_MS + 1_000_000 });
    const mode = 'certificates';
    const other = await startBench({ mode, signer: newer });
    const body = certificatesBody([newer, future, older]);
    other.fake.plans.push({ status: 200, body }, answered());
    expect(await other.client.applyAbnormalRefund(TO_USER)).toMatchObject({ kind: 'ok' });
    const [listed, applied] = other.fake.seen;
    expect(listed?.path).toBe('/v3/certificates');
    expect(applied?.headers['wechatpay-serial']).toBe('0A02');
    expect(decrypted(bodyOf(applied)['real_name'], newer.privateKey)).toBe('王小明');
    await other.close();
  });

  test('a redirect is not sent while no certificate is known', async () => {
    const other = await startBench({ mode: 'certificates' });
    expect(await other.client.applyAbnormalRefund(TO_USER)).toEqual({
      kind: 'unknown',
      code: 'TEMPORARY_FAILURE',
      wechatCode: null,
      detail: 'no certificate of WeChat to encrypt with',
      status: null,
      requestId: null,
    });
    expect(other.fake.seen.map(({ path }) => path)).toEqual(['/v3/certificates']);
    await other.close();
  });
});
