// The simulator's profit sharing: receivers, sharings, unfreezings.
import { open, startReceiver, type CallbackReceiver } from './support/callback-receiver';
import { anyText, containing, matching } from './support/matchers';
import { isSignedBy, start, type Fixture, type Received } from './support/merchant-client';
import {
  addReceiver,
  encrypted,
  paidOrder,
  PARTNER,
  partFor,
  querySharing,
  share,
  unfreeze,
  unsplitAmount,
} from './support/sharing';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

let fixture: Fixture;
let receiver: CallbackReceiver;

beforeAll(async () => {
  fixture = await start('public_key', { shareableAfterMs: 0 });
  receiver = await startReceiver();
});
afterAll(async () => {
  await fixture.simulator.close();
  await receiver.close();
});
beforeEach(async () => {
  fixture.simulator.reset();
  fixture.simulator.setSharingRules({ shareableAfterMs: 0, maxSharingPercent: 30 });
  receiver.received.length = 0;
  // Nothing ends by itself, except where a test sets that.
  fixture.simulator.setSharingOutcome({ result: 'PENDING' });
  await addReceiver(fixture);
});

function expectRefused(answer: Received, status: number, code: string): void {
  expect([answer.status, answer.json]).toEqual([status, containing({ code })]);
}

describe('a receiver of shares', () => {
  it('a receiver is added, also twice, with a name that WeChat can read', async () => {
    const more = { type: 'PERSONAL_OPENID', account: 'oStaff', relation_type: 'STAFF' };
    for (let i = 0; i < 2; i++) {
      const name = encrypted(fixture, '王小明');
      const answer = await addReceiver(fixture, { ...more, name });
      expect([answer.status, answer.json]).toEqual([200, { ...more, name }]);
    }
  });

  it.each([
    ['a name that is not encrypted', { name: '王小明' }, '/name'],
    ['an unknown relation', { relation_type: 'FRIEND' }, '/relation_type'],
    [
      'a relation of its own without a word for it',
      { relation_type: 'CUSTOM' },
      '/custom_relation',
    ],
    ['an unknown type', { type: 'PERSONAL' }, '/type'],
    ['a null', { name: null }, '/name'],
  ])('a receiver with %s is PARAM_ERROR that names the field', async (_name, more, field) => {
    const answer = await addReceiver(fixture, more);
    expectRefused(answer, 400, 'PARAM_ERROR');
    expect(answer.json).toMatchObject({ detail: { field } });
  });
});

describe('a sharing at the simulator', () => {
  it('a sharing is PROCESSING and returned signed, with all of WeChat’s fields', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    const answer = await share(fixture, transactionId, { out_order_no: 'op_1|a*b@c' });
    expect(answer.json).toEqual({
      transaction_id: transactionId,
      out_order_no: 'op_1|a*b@c',
      order_id: matching(/^30\d{26}$/),
      state: 'PROCESSING',
      receivers: [
        {
          type: 'MERCHANT_ID',
          account: PARTNER,
          amount: 100,
          description: '货款',
          result: 'PENDING',
          detail_id: matching(/^\d{28}$/),
          create_time: matching(/\+08:00$/),
        },
      ],
    });
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    expect(isSignedBy(key, (name) => answer.headers.get(name), answer.text)).toBe(true);
    expect((await querySharing(fixture, 'op_1|a*b@c', transactionId)).json).toEqual(answer.json);
    expect(fixture.simulator.sharingsOf(no)).toMatchObject([{ outOrderNo: 'op_1|a*b@c' }]);
  });

  it.each([
    ['a number with a blank', { out_order_no: 'a b' }, '/out_order_no'],
    ['no receiver', { receivers: [] }, '/receivers'],
    ['a receiver twice', { receivers: [partFor(1), partFor(2)] }, '/receivers'],
    [
      '51 receivers',
      { receivers: Array.from({ length: 51 }, (_, i) => partFor(1, { account: `${i}` })) },
      '/receivers',
    ],
    ['a part of a fen', { receivers: [partFor(0.5)] }, '/receivers/0/amount'],
    ['a name in the clear', { receivers: [partFor(1, { name: '王' })] }, '/receivers/0/name'],
    ['nothing said of the rest', { unfreeze_unsplit: undefined }, '/unfreeze_unsplit'],
    ['an unknown field', { surprise: 1 }, '/surprise'],
  ])('a sharing with %s is PARAM_ERROR that names the field', async (_name, more, field) => {
    const { transactionId } = await paidOrder(fixture);
    const answer = await share(fixture, transactionId, { out_order_no: 'op', ...more });
    expectRefused(answer, 400, 'PARAM_ERROR');
    expect(answer.json).toMatchObject({ detail: { field } });
    expect(fixture.simulator.sharingsOf()).toEqual([]);
  });

  it('a repeated sharing is the same, also with its names encrypted anew', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    const named = (name: string, more: object = {}) =>
      share(fixture, transactionId, {
        out_order_no: 'again',
        receivers: [partFor(100, { name: encrypted(fixture, name) })],
        ...more,
      });
    const first = (await named('茶行')).json as { order_id: string };
    const ended = { outOrderNo: 'again', account: PARTNER, callbacks: 0 };
    await fixture.simulator.settleSharing({ ...ended, result: 'SUCCESS' });
    const second = await named('茶行');
    expect(second.json).toMatchObject({ order_id: first.order_id, state: 'FINISHED' });
    expect(fixture.simulator.sharingsOf(no)).toMatchObject([{ parts: [{ name: '茶行' }] }]);
    expect(fixture.simulator.contentsOf('sharings')).toEqual({ again: 1 });
    expectRefused(await named('别人'), 400, 'INVALID_REQUEST');
    expectRefused(await named('茶行', { unfreeze_unsplit: true }), 400, 'INVALID_REQUEST');
    expect(fixture.simulator.contentsOf('sharings')).toEqual({ again: 3 });
    expect(fixture.simulator.sharingsOf(no)).toHaveLength(1);
  });

  it('a sharing of something unknown or not shareable is refused', async () => {
    const { transactionId } = await paidOrder(fixture);
    const unshared = await paidOrder(fixture, { settle_info: { profit_sharing: false } });
    const of = (id: string, more: object = {}) =>
      share(fixture, id, { out_order_no: 'op', ...more });
    expectRefused(await of('4200'), 404, 'ORDER_NOT_EXIST');
    expectRefused(await of(unshared.transactionId), 400, 'INVALID_REQUEST');
    const stranger = { receivers: [partFor(1, { account: '1900000111' })] };
    expectRefused(await of(transactionId, stranger), 400, 'INVALID_REQUEST');
    expectRefused(await of(transactionId, { appid: 'wx0' }), 400, 'APPID_MCHID_NOT_MATCH');
    const none = await querySharing(fixture, 'op', transactionId);
    expectRefused(none, 404, 'RESOURCE_NOT_EXISTS');
    await of(transactionId);
    const other = await querySharing(fixture, 'op', unshared.transactionId);
    expectRefused(other, 404, 'RESOURCE_NOT_EXISTS');
  });

  it('a sharing waits a minute from the payment and ends after thirty days', async () => {
    fixture.simulator.setSharingRules({ shareableAfterMs: MINUTE_MS });
    const { no, transactionId } = await paidOrder(fixture);
    const ask = (outOrderNo: string) => share(fixture, transactionId, { out_order_no: outOrderNo });
    expectRefused(await ask('one'), 403, 'RULE_LIMIT');
    fixture.simulator.advanceClock(MINUTE_MS);
    expect((await ask('one')).status).toBe(200);
    fixture.simulator.advanceClock(30 * DAY_MS - 2 * MINUTE_MS);
    expect((await ask('two')).status).toBe(200);
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ frozenFen: 1030, unfrozenFen: 0 });
    fixture.simulator.advanceClock(2 * MINUTE_MS);
    expectRefused(await ask('three'), 400, 'INVALID_REQUEST');
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ frozenFen: 0, unfrozenFen: 1030 });
  });

  it('sharings take at most 30 percent in all; a closed part is free again', async () => {
    const { transactionId } = await paidOrder(fixture);
    const ask = (outOrderNo: string, amount: number) =>
      share(fixture, transactionId, { out_order_no: outOrderNo, receivers: [partFor(amount)] });
    expectRefused(await ask('one', 370), 403, 'RULE_LIMIT');
    expect((await ask('one', 300)).status).toBe(200);
    expectRefused(await ask('two', 70), 403, 'RULE_LIMIT');
    expect((await ask('two', 69)).status).toBe(200);
    const { settleSharing } = fixture.simulator;
    await settleSharing({ outOrderNo: 'one', account: PARTNER, result: 'CLOSED' });
    expect((await ask('three', 300)).status).toBe(200);
  });

  it('a payment takes fifty sharings, and its rest is unfrozen all the same', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    for (let i = 1; i <= 51; i++) {
      const more = { out_order_no: `part-${i}`, receivers: [partFor(1)] };
      expect((await share(fixture, transactionId, more)).status).toBe(i <= 50 ? 200 : 403);
    }
    expect(fixture.simulator.sharingsOf(no)).toHaveLength(50);
    expect((await unfreeze(fixture, transactionId, 'rest')).status).toBe(200);
    expect(await unsplitAmount(fixture, transactionId)).toMatchObject({ unsplit_amount: 0 });
  });
});

describe('an unfreezing at the simulator', () => {
  it('an unfreezing gives the merchant the rest, once; nothing is shared after it', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    await share(fixture, transactionId, { out_order_no: 'shared' });
    const unsplit = { transaction_id: transactionId, unsplit_amount: 1130 };
    expect(await unsplitAmount(fixture, transactionId)).toEqual(unsplit);
    const done = await unfreeze(fixture, transactionId, 'rest');
    const { merchantId } = fixture.credentials;
    expect(done.json).toMatchObject({
      out_order_no: 'rest',
      state: 'FINISHED',
      receivers: [{ account: merchantId, amount: 1130, result: 'SUCCESS' }],
    });
    expect((await unfreeze(fixture, transactionId, 'rest')).json).toEqual(done.json);
    expect((await querySharing(fixture, 'rest', transactionId)).json).toEqual(done.json);
    expectRefused(await unfreeze(fixture, transactionId, 'more'), 400, 'INVALID_REQUEST');
    const late = await share(fixture, transactionId, { out_order_no: 'late' });
    expectRefused(late, 400, 'INVALID_REQUEST');
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ frozenFen: 0, unfrozenFen: 1130 });
  });

  it('an unfreezing under a sharing’s number returns success and does nothing', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    await share(fixture, transactionId, { out_order_no: 'used' });
    expect((await unfreeze(fixture, transactionId, 'used')).status).toBe(200);
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ frozenFen: 1130, unfrozenFen: 0 });
  });

  it('an unfreezing comes with a sharing that requests it', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    await share(fixture, transactionId, { out_order_no: 'last', unfreeze_unsplit: true });
    expect(fixture.simulator.balanceOf(no)).toMatchObject({
      sharedFen: 100,
      frozenFen: 0,
      unfrozenFen: 1130,
    });
  });
});

describe('the end of a sharing at the simulator', () => {
  const opened = () =>
    receiver.received.map(({ body }) => open(body, fixture.credentials.apiV3Key));
  const both = [partFor(100), partFor(50, { type: 'PERSONAL_OPENID', account: 'oStaff' })];
  const asked = async (outOrderNo: string, receivers: object[] = both) => {
    await addReceiver(fixture, { type: 'PERSONAL_OPENID', account: 'oStaff' });
    const paid = await paidOrder(fixture, { notify_url: receiver.url });
    const more = { out_order_no: outOrderNo, receivers };
    expect((await share(fixture, paid.transactionId, more)).status).toBe(200);
    return paid;
  };

  it('a sharing is SUCCESS by itself after a short while, with signed callbacks', async () => {
    fixture.simulator.reset();
    await addReceiver(fixture);
    const { no, transactionId } = await asked('by-itself');
    await receiver.waitFor(2);
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    for (const { headers, body } of receiver.received) {
      expect(isSignedBy(key, (name) => String(headers[name]), body)).toBe(true);
    }
    expect(opened().map(({ eventType }) => eventType)).toEqual(
      Array(2).fill('TRANSACTION.SUCCESS'),
    );
    const contents = opened().map(({ content }) => content);
    expect(contents).toContainEqual({
      mchid: fixture.credentials.merchantId,
      transaction_id: transactionId,
      order_id: anyText(),
      out_order_no: 'by-itself',
      receiver: { type: 'MERCHANT_ID', account: PARTNER, amount: 100, description: '货款' },
      success_time: matching(/\+08:00$/),
    });
    expect(contents).toContainEqual(
      containing({ receiver: containing({ account: 'oStaff', amount: 50 }) }),
    );
    expect((await querySharing(fixture, 'by-itself', transactionId)).json).toMatchObject({
      state: 'FINISHED',
      receivers: [{ result: 'SUCCESS', finish_time: matching(/\+08:00$/) }, { result: 'SUCCESS' }],
    });
    expect(fixture.simulator.deliveries(no)).toMatchObject(
      Array(2).fill({ outOrderNo: 'by-itself' }),
    );
  });

  it('a sharing can be CLOSED for one receiver only, under the other event', async () => {
    const { setSharingOutcome } = fixture.simulator;
    const eventType = 'PROFITSHARING.SUCCESS';
    setSharingOutcome({ result: 'SUCCESS', afterMs: 0, eventType });
    setSharingOutcome({
      result: 'CLOSED',
      failReason: 'NO_RELATION',
      afterMs: 0,
      account: 'oStaff',
    });
    const { no, transactionId } = await asked('partly');
    await receiver.waitFor(1);
    expect(opened()).toMatchObject([{ eventType, content: { receiver: { account: PARTNER } } }]);
    expect((await querySharing(fixture, 'partly', transactionId)).json).toMatchObject({
      state: 'FINISHED',
      receivers: [{ result: 'SUCCESS' }, { result: 'CLOSED', fail_reason: 'NO_RELATION' }],
    });
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ sharedFen: 100, frozenFen: 1130 });
  });

  it('a sharing that ends by hand ends once; a repeated callback has another id', async () => {
    await asked('by-hand');
    const { settleSharing } = fixture.simulator;
    const part = { outOrderNo: 'by-hand', account: PARTNER };
    const ended = await settleSharing({ ...part, result: 'SUCCESS' });
    expect(ended).toMatchObject({ result: 'SUCCESS', callback: { outcome: 'accepted' } });
    const again = await settleSharing({ ...part, result: 'SUCCESS' });
    expect(again.notificationId).not.toBe(ended.notificationId);
    await expect(settleSharing({ ...part, result: 'CLOSED' })).rejects.toThrow('is SUCCESS');
    const nobody = { ...part, account: 'none', result: 'CLOSED' } as const;
    await expect(settleSharing(nobody)).rejects.toThrow('no such');
    const staff = { ...part, account: 'oStaff', result: 'CLOSED' } as const;
    expect(await settleSharing(staff)).toMatchObject({ notificationId: null });
    expect(fixture.simulator.sharingsOf()[0]?.parts[1]?.failReason).toBe('ACCOUNT_ABNORMAL');
    expect(receiver.received).toHaveLength(2);
  });

  it('a sharing’s callback has a signature of today after the clock has jumped', async () => {
    await asked('jumped');
    fixture.simulator.advanceClock(DAY_MS);
    const part = { outOrderNo: 'jumped', account: PARTNER, result: 'SUCCESS' } as const;
    await fixture.simulator.settleSharing(part);
    const seconds = Number(receiver.received[0]?.headers['wechatpay-timestamp']);
    expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(300);
    const { success_time: successTime } = opened()[0]?.content as { success_time: string };
    expect(Date.parse(successTime)).toBeGreaterThan(Date.now() + DAY_MS - MINUTE_MS);
  });

  it('a sharing leaves the payment’s own callback available for a repeat', async () => {
    const { no } = await asked('between');
    await fixture.simulator.notify({ outTradeNo: no });
    const part = { outOrderNo: 'between', account: PARTNER, result: 'SUCCESS' } as const;
    await fixture.simulator.settleSharing(part);
    await fixture.simulator.notify({ outTradeNo: no });
    expect(opened().map(({ content }) => content)).toEqual([
      containing({ trade_state: 'SUCCESS' }),
      containing({ out_order_no: 'between' }),
      containing({ trade_state: 'SUCCESS' }),
    ]);
  });
});
