// The simulator's callbacks: signed, repeated, disturbed.
import { RETRY_GAPS_SECONDS } from '../../../simulator/wechatpay/callbacks/repeat-callbacks';
import { open, startReceiver, type CallbackReceiver } from './support/callback-receiver';
import { isSignedBy, prepay, prepayBody, start, type Fixture } from './support/merchant-client';
import { containing } from './support/matchers';

let fixture: Fixture;
let receiver: CallbackReceiver;
let sequence = 0;

beforeAll(async () => {
  fixture = await start();
});
afterAll(async () => {
  await fixture.simulator.close();
});
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  fixture.simulator.reset();
  fixture.simulator.setClockSpeed(1);
  await receiver.close();
});

async function newOrder(): Promise<string> {
  const no = `CALLBACK-${String(++sequence).padStart(6, '0')}`;
  const body = prepayBody(fixture.credentials, no, { notify_url: receiver.url });
  expect((await prepay(fixture, body)).status).toBe(200);
  return no;
}

function isSigned({ headers, body }: CallbackReceiver['received'][number]): boolean {
  const header = (name: string): string => String(headers[name]);
  return isSignedBy(fixture.simulator.publicKeyOf()?.pem ?? '', header, body);
}

const openAll = () => receiver.received.map(({ body }) => open(body, fixture.credentials.apiV3Key));

describe('the callback of a payment', () => {
  it('a payment sends one signed and encrypted callback', async () => {
    const no = await newOrder();
    const result = await fixture.simulator.pay({ outTradeNo: no });
    expect(result.callback).toMatchObject({ outcome: 'accepted', status: 204 });
    expect(receiver.received.map(isSigned)).toEqual([true]);
    expect(openAll()).toEqual([
      {
        id: result.notificationId,
        eventType: 'TRANSACTION.SUCCESS',
        content: containing({ out_trade_no: no, trade_state: 'SUCCESS' }),
      },
    ]);
    expect(fixture.simulator.pendingCallbacks()).toBe(0);
  });

  it('a payment can send several callbacks at once under one id, or none', async () => {
    await fixture.simulator.pay({ outTradeNo: await newOrder(), callbacks: 0 });
    expect(receiver.received).toHaveLength(0);
    await fixture.simulator.pay({ outTradeNo: await newOrder(), callbacks: 5 });
    expect(receiver.received).toHaveLength(5);
    expect(new Set(openAll().map(({ id }) => id)).size).toBe(1);
  });

  it('a payment’s callback can be sent again, with the same id or a new one', async () => {
    const no = await newOrder();
    await fixture.simulator.pay({ outTradeNo: no });
    await fixture.simulator.notify({ outTradeNo: no, count: 2 });
    await fixture.simulator.notify({ outTradeNo: no, count: 2, concurrent: true, newId: true });
    expect(new Set(openAll().map(({ id }) => id)).size).toBe(3);
    expect(receiver.received.every(isSigned)).toBe(true);
  });

  it('a payment of an unknown number, or a second one, needs force', async () => {
    const no = await newOrder();
    await fixture.simulator.pay({ outTradeNo: no });
    await expect(fixture.simulator.pay({ outTradeNo: no })).rejects.toThrow('paid already');
    await expect(fixture.simulator.pay({ outTradeNo: 'NEVER-SEEN' })).rejects.toThrow('no such');
    const second = await fixture.simulator.pay({ outTradeNo: no, force: true });
    const strange = await fixture.simulator.pay({ outTradeNo: 'NEVER-SEEN', force: true });
    expect([second.callback?.status, strange.callback?.status]).toEqual([204, 204]);
    expect(fixture.simulator.order(no)?.payments).toHaveLength(2);
  });
});

describe('a callback that is not accepted', () => {
  it('a refused callback is repeated fifteen times by the schedule under one id', async () => {
    const no = await newOrder();
    receiver.answer(500);
    fixture.simulator.setClockSpeed(1_000_000);
    await fixture.simulator.pay({ outTradeNo: no });
    await receiver.waitFor(1 + RETRY_GAPS_SECONDS.length);
    expect(RETRY_GAPS_SECONDS.reduce((sum, gap) => sum + gap, 0)).toBe(24 * 3600 + 4 * 60);
    expect(new Set(openAll().map(({ id }) => id)).size).toBe(1);
    expect(new Set(receiver.received.map(({ headers }) => headers['wechatpay-nonce'])).size).toBe(
      16,
    );
    expect(receiver.received.every(isSigned)).toBe(true);
  });

  it('a refused callback waits, follows the clock, and ends once accepted', async () => {
    const no = await newOrder();
    receiver.answer(503);
    const result = await fixture.simulator.pay({ outTradeNo: no });
    expect(result.callback).toMatchObject({ outcome: 'refused', status: 503 });
    expect(fixture.simulator.pendingCallbacks()).toBe(1);
    receiver.answer(200);
    fixture.simulator.setClockSpeed(100_000);
    await receiver.waitFor(2);
    expect(fixture.simulator.pendingCallbacks()).toBe(0);
  });

  it('a callback without a reply in time is repeated later', async () => {
    const impatient = await start('public_key', { callbackTimeoutMs: 50 });
    receiver.answer(null);
    const no = 'IMPATIENT-1';
    await prepay(impatient, prepayBody(impatient.credentials, no, { notify_url: receiver.url }));
    const { callback } = await impatient.simulator.pay({ outTradeNo: no });
    expect(callback).toMatchObject({ outcome: 'failed', status: null, error: 'no answer in time' });
    expect(impatient.simulator.deliveries(no)).toHaveLength(1);
    await impatient.simulator.close();
  });
});

describe('the behaviour that a test sets for callbacks', () => {
  it('a dropped callback is sent later by the schedule', async () => {
    const no = await newOrder();
    fixture.simulator.setCallbackBehaviour({ drop: 2, times: 1 });
    fixture.simulator.setClockSpeed(100_000);
    const { callback } = await fixture.simulator.pay({ outTradeNo: no });
    expect(callback?.outcome).toBe('dropped');
    await receiver.waitFor(1);
  });

  it('callbacks can be duplicated and reordered', async () => {
    const [first, second] = [await newOrder(), await newOrder()];
    fixture.simulator.setCallbackBehaviour({ reorder: 2, duplicate: 1, times: 2 });
    const held = await fixture.simulator.pay({ outTradeNo: first });
    expect(held.callback?.outcome).toBe('held');
    expect(receiver.received).toHaveLength(0);
    await fixture.simulator.pay({ outTradeNo: second });
    await receiver.waitFor(4);
    expect(openAll().map(({ content }) => content)).toEqual(
      expect.arrayContaining([
        containing({ out_trade_no: first }),
        containing({ out_trade_no: second }),
      ]),
    );
  });

  it('a tampered callback is tampered with at every attempt', async () => {
    fixture.simulator.setCallbackBehaviour({ tamper: { kind: 'signature' } });
    await fixture.simulator.pay({ outTradeNo: await newOrder() });
    expect(receiver.received.map(isSigned)).toEqual([false]);
  });
});

describe('a raw callback', () => {
  const age = (index: number): number =>
    Date.now() / 1000 - Number(receiver.received[index]?.headers['wechatpay-timestamp']);

  it.each([
    ['payment', true, true],
    ['tampered', false, false],
    ['bad_signature', false, true],
    ['stale', true, true],
    ['signtest', false, true],
    ['undecryptable', true, false],
    ['malformed', true, false],
    ['unknown_shape', true, true],
    ['refund', true, true],
    ['profit_sharing', true, true],
    ['unknown_serial', true, true],
  ] as const)(
    'a raw callback of the kind %s: validly signed %s, decryptable %s',
    async (kind, signed, opens) => {
      const no = await newOrder();
      receiver.answer(401);
      const delivery = await fixture.simulator.sendRaw({ kind, outTradeNo: no });
      expect(delivery).toMatchObject({ kind: 'raw', status: 401 });
      expect(receiver.received.map(isSigned)).toEqual([signed]);
      if (opens) expect(openAll()).toHaveLength(1);
      else expect(openAll).toThrow();
    },
  );

  it('a raw callback has the header that its kind names', async () => {
    const no = await newOrder();
    await fixture.simulator.sendRaw({ kind: 'stale', outTradeNo: no, staleSeconds: 301 });
    await fixture.simulator.sendRaw({ kind: 'stale', outTradeNo: no, staleSeconds: -400 });
    await fixture.simulator.sendRaw({ kind: 'unknown_serial', outTradeNo: no });
    await fixture.simulator.sendRaw({ kind: 'signtest', outTradeNo: no });
    expect(age(0)).toBeGreaterThan(300);
    expect(age(1)).toBeLessThan(-390);
    const [, , unknown, probe] = receiver.received;
    expect(unknown?.headers['wechatpay-serial']).toMatch(/^[0-9A-F]{40}$/);
    expect(probe?.headers['wechatpay-signature']).toMatch(/^WECHATPAY\/SIGNTEST\//);
  });
});
