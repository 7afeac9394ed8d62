// The client's profit sharing calls: bytes sent, responses read, outcomes.
import { startBench, type Bench } from '../support/client';
import type { Plan } from '../support/fake-wechat';
import {
  answered,
  bodyOf,
  decrypted,
  nameIn,
  OPENID,
  OUT_ORDER_NO,
  OUT_RETURN_NO,
  RECEIVER,
  RECEIVER_RESPONSE,
  RETURN,
  RETURN_RESPONSE,
  RETURN_STATE,
  SHARING,
  SHARING_RESPONSE,
  SHARING_STATE,
  TRANSACTION_ID,
  UNFREEZE,
  UNNAMED,
} from '../support/profit-sharing';
import { APP_ID, certificatesBody, makePlatform, PUBLIC_KEY_ID } from '../support/wechat';

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

/** Every call, with a response that it understands. */
const CALLS: Record<string, { call: () => Promise<object>; answer: object; other: object }> = {
  receiver_add: {
    call: () => bench.client.addReceiver(RECEIVER),
    answer: RECEIVER_RESPONSE,
    other: { account: 'oAnother' },
  },
  share: {
    call: () => bench.client.share(SHARING),
    answer: SHARING_RESPONSE,
    other: { out_order_no: 'another' },
  },
  share_query: {
    call: () => bench.client.querySharing(SHARING),
    answer: SHARING_RESPONSE,
    other: { transaction_id: '4200000000000000000000000000' },
  },
  unfreeze: {
    call: () => bench.client.unfreeze(UNFREEZE),
    answer: SHARING_RESPONSE,
    other: { out_order_no: 'another' },
  },
  return: {
    call: () => bench.client.returnShared(RETURN),
    answer: RETURN_RESPONSE,
    other: { out_return_no: 'another' },
  },
  return_query: {
    call: () => bench.client.queryReturn(RETURN),
    answer: RETURN_RESPONSE,
    other: { out_order_no: 'another' },
  },
};
const OPERATIONS = Object.entries(CALLS);

describe('every call of profit sharing', () => {
  test.each(OPERATIONS)(
    'the call %s is logged with ids alone',
    async (operation, { call, answer }) => {
      plan(answered(answer));
      expect(await call()).toMatchObject({ kind: 'ok' });
      expect(bench.events).toEqual([
        {
          event: 'wechat.called',
          operation,
          outOrderNo: OUT_ORDER_NO,
          outcome: 'ok',
          status: null,
          code: null,
          wechatCode: null,
          requestId: '08F78BB4A5',
          durationMs: expect.any(Number) as unknown,
        },
      ]);
    },
  );

  test.each(OPERATIONS)(
    'the call %s whose response is no object is unknown, and WeChat is not down',
    async (_name, one) => {
      plan({ status: 200, body: '[]' }, { status: 200, body: 'ok' });
      const unknown = { kind: 'unknown', code: 'NOT_YET', status: 200 };
      expect(await one.call()).toMatchObject(unknown);
      expect(await one.call()).toMatchObject(unknown);
    },
  );

  test('a receiver whose response is about another one is unknown', async () => {
    plan(answered(RECEIVER_RESPONSE, CALLS['receiver_add']?.other), answered({}));
    const unknown = { kind: 'unknown', code: 'NOT_YET', status: 200 };
    expect(await bench.client.addReceiver(RECEIVER)).toMatchObject(unknown);
    expect(await bench.client.addReceiver(RECEIVER)).toMatchObject(unknown);
  });

  test.each(OPERATIONS.filter(([name]) => name !== 'receiver_add'))(
    'the response to %s says which numbers it names, and that it names none',
    async (_name, one) => {
      plan(answered(one.answer, one.other), answered({}));
      const [named] = Object.values(one.other) as [string];
      const other = await one.call();
      expect(other).toMatchObject({ kind: 'ok' });
      expect(JSON.stringify(other)).toContain(named);
      expect(await one.call()).toMatchObject({ kind: 'ok', value: { outOrderNo: null } });
    },
  );

  test.each(OPERATIONS)(
    'the call %s with a forged, failed or cut response is unknown',
    async (_name, { call, answer }) => {
      plan(
        { ...answered(answer), signedBy: null },
        { status: 500, body: '{"code":"SYSTEM_ERROR","message":"?"}' },
        { raw: (response) => response.destroy() },
      );
      expect(await call()).toMatchObject({ kind: 'unknown', code: 'RESPONSE_FORGED' });
      expect(await call()).toMatchObject({ kind: 'unknown', status: 500 });
      expect(await call()).toMatchObject({ kind: 'unknown', code: 'NETWORK_ERROR' });
    },
  );

  test.each([
    [400, 'PARAM_ERROR', 'WECHAT_REFUSED'],
    [400, 'INVALID_REQUEST', 'WECHAT_REFUSED'],
    [403, 'RULE_LIMIT', 'RULE_LIMIT'],
    [403, 'RULELIMIT', 'RULE_LIMIT'],
    [403, 'NOT_ENOUGH', 'NOT_ENOUGH'],
    [403, 'NO_AUTH', 'WECHAT_PERMISSION_DENIED'],
    [403, 'NOAUTH', 'WECHAT_PERMISSION_DENIED'],
    [404, 'RESOURCE_NOT_EXISTS', 'RESOURCE_NOT_EXISTS'],
    [404, 'ORDER_NOT_EXIST', 'ORDER_NOT_EXIST'],
    [429, 'FREQUENCY_LIMITED', 'FREQUENCY_LIMITED'],
    [429, 'RATELIMIT_EXCEEDED', 'FREQUENCY_LIMITED'],
  ])('a call refused by %d %s is %s', async (status, wechatCode, code) => {
    const refusal = { status, body: JSON.stringify({ code: wechatCode, message: '分账失败' }) };
    for (const [, { call }] of OPERATIONS) {
      plan(refusal);
      expect(await call()).toMatchObject({ kind: 'refused', status, code, wechatCode });
    }
  });

  test.each(['share_query', 'return_query'] as const)(
    '%s can be cancelled by the caller',
    async (operation) => {
      const signal = AbortSignal.abort();
      const outcome =
        operation === 'share_query'
          ? await bench.client.querySharing({ ...SHARING, signal })
          : await bench.client.queryReturn({ ...RETURN, signal });
      expect(outcome).toMatchObject({ kind: 'unknown' });
      expect(bench.fake.seen).toHaveLength(0);
    },
  );
});

describe('a receiver of shares', () => {
  test('a receiver is added with a name that only WeChat can read', async () => {
    plan(answered(RECEIVER_RESPONSE));
    const added = await bench.client.addReceiver(RECEIVER);
    expect(added).toEqual({ kind: 'ok', value: null, requestId: '08F78BB4A5' });
    const [seen] = bench.fake.seen;
    expect(seen).toMatchObject({
      method: 'POST',
      path: '/v3/profitsharing/receivers/add',
      headers: { 'wechatpay-serial': PUBLIC_KEY_ID, 'content-type': 'application/json' },
    });
    const { name } = bodyOf(seen);
    expect(seen?.body).toBe(
      `{"appid":"${APP_ID}","type":"PERSONAL_OPENID","account":"${OPENID}",` +
        `"name":"${name ?? ''}","relation_type":"STAFF"}`,
    );
    expect(decrypted(name, bench.wechat.privateKey)).toBe('王小明');
  });

  test('a receiver without a name is sent without one', async () => {
    plan(answered(RECEIVER_RESPONSE));
    await bench.client.addReceiver({ ...RECEIVER, name: null });
    expect(bench.fake.seen[0]?.body).toBe(
      `{"appid":"${APP_ID}","type":"PERSONAL_OPENID","account":"${OPENID}",` +
        `"relation_type":"STAFF"}`,
    );
  });
});

describe('a sharing request', () => {
  test('a sharing sends exactly these bytes, and each result is read', async () => {
    plan(answered(SHARING_RESPONSE));
    expect(await bench.client.share(SHARING)).toEqual({
      kind: 'ok',
      value: SHARING_STATE,
      requestId: '08F78BB4A5',
    });
    const [seen] = bench.fake.seen;
    const name = nameIn(seen);
    expect(decrypted(name, bench.wechat.privateKey)).toBe('王小明');
    expect(seen).toMatchObject({
      method: 'POST',
      path: '/v3/profitsharing/orders',
      headers: { 'wechatpay-serial': PUBLIC_KEY_ID },
      body:
        `{"appid":"${APP_ID}","transaction_id":"${TRANSACTION_ID}",` +
        `"out_order_no":"${OUT_ORDER_NO}","receivers":[` +
        '{"type":"MERCHANT_ID","account":"1900000999","amount":100,"description":"“货款”"},' +
        `{"type":"PERSONAL_OPENID","account":"${OPENID}","name":"${String(name)}",` +
        '"amount":7,"description":"佣金"}],"unfreeze_unsplit":false}',
    });
  });

  test('a repeated sharing has the same content; only the names’ bytes differ', async () => {
    plan(...Array<Plan>(4).fill(answered(SHARING_RESPONSE)));
    await bench.client.share(SHARING);
    await bench.client.share(SHARING);
    await bench.client.share(UNNAMED);
    await bench.client.share(UNNAMED);
    const [first, second, third, fourth] = bench.fake.seen;
    expect(nameIn(second)).not.toBe(nameIn(first));
    const [before, after] = [String(nameIn(second)), String(nameIn(first))];
    expect(second?.body.replace(before, after)).toBe(first?.body);
    expect(fourth?.body).toBe(third?.body);
  });

  test('a sharing with a name longer than a key can encrypt is our mistake', async () => {
    const receivers = SHARING.receivers.map((one) => ({ ...one, name: '王'.repeat(72) }));
    await expect(bench.client.share({ ...SHARING, receivers })).rejects.toThrow();
    expect(bench.fake.seen).toHaveLength(0);
  });

  test('a sharing that was just accepted has pending results, or none yet', async () => {
    const pending = { type: 'MERCHANT_ID', account: '1900000999', amount: 100, result: 'PENDING' };
    plan(
      answered(SHARING_RESPONSE, { state: 'PROCESSING', receivers: [pending] }),
      answered(SHARING_RESPONSE, { state: 'PROCESSING', receivers: undefined }),
    );
    expect(await bench.client.share(SHARING)).toMatchObject({
      value: { state: 'PROCESSING', receivers: [{ result: 'PENDING', detailId: null }] },
    });
    expect(await bench.client.share(SHARING)).toMatchObject({ value: { receivers: [] } });
  });

  test('a sharing query encodes its number, so that it reaches no other path', async () => {
    const outOrderNo = '../a?b';
    plan(
      answered(SHARING_RESPONSE),
      answered(SHARING_RESPONSE, { out_order_no: 'x', transaction_id: '4' }),
    );
    expect(await bench.client.querySharing(SHARING)).toMatchObject({ value: SHARING_STATE });
    await bench.client.querySharing({ ...SHARING, outOrderNo, transactionId: '4&x=1' });
    const path = '/v3/profitsharing/orders';
    expect(bench.fake.seen).toMatchObject([
      {
        method: 'GET',
        path: `${path}/op_1%7Ca*b%40c?transaction_id=${TRANSACTION_ID}`,
        body: '',
      },
      { path: `${path}/..%2Fa%3Fb?transaction_id=4%26x%3D1` },
    ]);
  });

  test('an unfreezing sends exactly these bytes and ends the sharing', async () => {
    plan(answered(SHARING_RESPONSE, { receivers: undefined }));
    expect(await bench.client.unfreeze(UNFREEZE)).toMatchObject({
      kind: 'ok',
      value: { ...SHARING_STATE, receivers: [] },
    });
    expect(bench.fake.seen).toMatchObject([
      {
        method: 'POST',
        path: '/v3/profitsharing/orders/unfreeze',
        body:
          `{"transaction_id":"${TRANSACTION_ID}","out_order_no":"${OUT_ORDER_NO}",` +
          '"description":"解冻全部剩余资金"}',
      },
    ]);
  });
});

describe('a return of shared money', () => {
  test('a return sends exactly these bytes, twice the same, and reads the response', async () => {
    plan(answered(RETURN_RESPONSE), answered(RETURN_RESPONSE));
    expect(await bench.client.returnShared(RETURN)).toEqual({
      kind: 'ok',
      value: RETURN_STATE,
      requestId: '08F78BB4A5',
    });
    await bench.client.returnShared(RETURN);
    const [first, second] = bench.fake.seen;
    expect(first).toMatchObject({
      method: 'POST',
      path: '/v3/profitsharing/return-orders',
      body:
        `{"out_order_no":"${OUT_ORDER_NO}","out_return_no":"${OUT_RETURN_NO}",` +
        '"return_mchid":"1900000999","amount":60,"description":"用户退款"}',
    });
    expect(second?.body).toBe(first?.body);
  });

  test.each([
    ['PROCESSING', undefined, null],
    ['SUCCESS', '', null],
    ['FAILED', 'BALANCE_NOT_ENOUGH', 'BALANCE_NOT_ENOUGH'],
  ])('a queried return can be %s, for the reason %s', async (result, reason, failReason) => {
    plan(answered(RETURN_RESPONSE, { result, fail_reason: reason }));
    expect(await bench.client.queryReturn(RETURN)).toMatchObject({
      kind: 'ok',
      value: { ...RETURN_STATE, result, reportedResult: result, failReason },
    });
    expect(bench.fake.seen).toMatchObject([
      {
        method: 'GET',
        path: '/v3/profitsharing/return-orders/op_r%7C1*2%403?out_order_no=op_1%7Ca*b%40c',
        body: '',
      },
    ]);
  });
});

describe('profit sharing in certificate mode', () => {
  let other: Bench;
  const platform = makePlatform('0A02');

  beforeEach(async () => {
    other = await startBench({ mode: 'certificates', signer: platform });
  });
  afterEach(() => other.close());

  test('names are encrypted for the certificate in the header, fetched first', async () => {
    const list = certificatesBody([platform]);
    other.fake.plans.push(
      { status: 200, body: list },
      answered(SHARING_RESPONSE),
      answered(RECEIVER_RESPONSE),
    );
    expect(await other.client.share(SHARING)).toMatchObject({ kind: 'ok' });
    expect(await other.client.addReceiver(RECEIVER)).toMatchObject({ kind: 'ok' });
    const [listed, shared, added] = other.fake.seen;
    expect(listed?.path).toBe('/v3/certificates');
    expect(shared?.headers['wechatpay-serial']).toBe('0A02');
    expect(added?.headers['wechatpay-serial']).toBe('0A02');
    expect(decrypted(nameIn(shared), platform.privateKey)).toBe('王小明');
    expect(decrypted(bodyOf(added).name, platform.privateKey)).toBe('王小明');
  });

  test('a request without names sends no key id, not even our own', async () => {
    other.fake.plans.push(
      answered(SHARING_RESPONSE),
      { status: 200, body: certificatesBody([platform]) },
      answered(RECEIVER_RESPONSE),
    );
    await other.client.share(UNNAMED);
    await other.client.addReceiver({ ...RECEIVER, name: null });
    const posts = other.fake.seen.filter(({ method }) => method === 'POST');
    expect(posts.map(({ headers }) => headers['wechatpay-serial'])).toEqual([undefined, undefined]);
  });

  test('nothing with a name is sent while no certificate is known', async () => {
    const nothing = {
      kind: 'unknown',
      code: 'TEMPORARY_FAILURE',
      wechatCode: null,
      detail: 'no certificate of WeChat to encrypt with',
      status: null,
      requestId: null,
    };
    expect(await other.client.share(SHARING)).toEqual(nothing);
    expect(await other.client.addReceiver(RECEIVER)).toEqual(nothing);
    expect(other.fake.seen.every(({ path }) => path === '/v3/certificates')).toBe(true);
  });
});
