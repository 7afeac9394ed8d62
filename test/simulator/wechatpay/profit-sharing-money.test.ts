// The money of a shared payment at the simulator: returned, refunded, frozen, unfrozen.
import { containing, matching } from './support/matchers';
import {
  query,
  queryRefund,
  refund,
  refundBody,
  start,
  type Fixture,
  type Received,
} from './support/merchant-client';
import {
  addReceiver,
  paidOrder,
  PARTNER,
  partFor,
  queryReturn,
  querySharing,
  returnShared,
  share,
  unfreeze,
  unsplitAmount,
} from './support/sharing';

const DAY_MS = 24 * 3_600_000;

let fixture: Fixture;

beforeAll(async () => {
  fixture = await start('public_key', { shareableAfterMs: 0 });
});
afterAll(() => fixture.simulator.close());
beforeEach(async () => {
  fixture.simulator.reset();
  fixture.simulator.setSharingOutcome({ result: 'PENDING' });
  fixture.simulator.setRefundOutcome({ status: 'PROCESSING' });
  await addReceiver(fixture);
});

/** 100 of 1230 shared with the partner, who has received it. */
async function sharedOrder(outOrderNo: string): Promise<{ no: string; transactionId: string }> {
  const paid = await paidOrder(fixture);
  await share(fixture, paid.transactionId, { out_order_no: outOrderNo });
  const part = { outOrderNo, account: PARTNER, result: 'SUCCESS', callbacks: 0 } as const;
  await fixture.simulator.settleSharing(part);
  return paid;
}

function expectRefused(answer: Received, status: number, code: string): void {
  expect([answer.status, answer.json]).toEqual([status, containing({ code })]);
}

const refundOf = (outRefundNo: string, transactionId: string, refundFen: number) =>
  refund(
    fixture,
    refundBody(outRefundNo, {
      transaction_id: transactionId,
      amount: { refund: refundFen, total: 1230, currency: 'CNY' },
    }),
  );

describe('a return of shared money', () => {
  it('a return is SUCCESS at once with all of WeChat’s fields; a repeat is the same', async () => {
    const { no } = await sharedOrder('shared');
    const answer = await returnShared(fixture, 'shared', 'back');
    expect(answer.json).toEqual({
      order_id: fixture.simulator.sharingsOf(no)[0]?.orderId,
      out_order_no: 'shared',
      out_return_no: 'back',
      return_id: matching(/^30\d{26}$/),
      return_mchid: PARTNER,
      amount: 60,
      description: '退款',
      result: 'SUCCESS',
      create_time: matching(/\+08:00$/),
      finish_time: matching(/\+08:00$/),
    });
    expect((await returnShared(fixture, 'shared', 'back')).json).toEqual(answer.json);
    expect((await queryReturn(fixture, 'back', 'shared')).json).toEqual(answer.json);
    expect(fixture.simulator.contentsOf('returns')).toEqual({ back: 1 });
    const other = await returnShared(fixture, 'shared', 'back', { amount: 61 });
    expectRefused(other, 400, 'INVALID_REQUEST');
    expect(fixture.simulator.contentsOf('returns')).toEqual({ back: 2 });
    expect(fixture.simulator.returnsOf(no)).toMatchObject([{ amountFen: 60, result: 'SUCCESS' }]);
    expectRefused(await queryReturn(fixture, 'none', 'shared'), 404, 'RESOURCE_NOT_EXISTS');
    expectRefused(await queryReturn(fixture, 'back', 'none'), 404, 'RESOURCE_NOT_EXISTS');
  });

  it('a return takes back at most what a receiving merchant got', async () => {
    const { transactionId } = await sharedOrder('shared');
    await addReceiver(fixture, { type: 'PERSONAL_OPENID', account: 'oStaff' });
    const person = partFor(9, { type: 'PERSONAL_OPENID', account: 'oStaff' });
    await share(fixture, transactionId, { out_order_no: 'open', receivers: [partFor(9), person] });
    const staff = { outOrderNo: 'open', account: 'oStaff', result: 'SUCCESS' } as const;
    await fixture.simulator.settleSharing({ ...staff, callbacks: 0 });
    expectRefused(await returnShared(fixture, 'none', 'r1'), 404, 'RESOURCE_NOT_EXISTS');
    const refused = async (outOrderNo: string, more: object) =>
      expectRefused(await returnShared(fixture, outOrderNo, 'r1', more), 400, 'INVALID_REQUEST');
    await refused('shared', { return_mchid: '1900000111' });
    await refused('open', { return_mchid: 'oStaff', amount: 1 });
    await refused('open', { amount: 1 });
    await refused('shared', { amount: 101 });
    expect((await returnShared(fixture, 'shared', 'r1')).status).toBe(200);
    expectRefused(
      await returnShared(fixture, 'shared', 'r2', { amount: 41 }),
      400,
      'INVALID_REQUEST',
    );
    expect((await returnShared(fixture, 'shared', 'r2', { amount: 40 })).status).toBe(200);
  });

  it('a return that FAILs leaves its amount for another number', async () => {
    const { no } = await sharedOrder('shared');
    fixture.simulator.setReturnOutcome({ result: 'FAILED', failReason: 'ACCOUNT_ERR', times: 1 });
    const failed = await returnShared(fixture, 'shared', 'r1', { amount: 100 });
    expect(failed.json).toMatchObject({ result: 'FAILED', fail_reason: 'ACCOUNT_ERR' });
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ sharedFen: 100, returnedFen: 0 });
    const second = await returnShared(fixture, 'shared', 'r2', { amount: 100 });
    expect(second.json).toMatchObject({ result: 'SUCCESS' });
    expect(fixture.simulator.balanceOf(no)).toMatchObject({ sharedFen: 100, returnedFen: 100 });
  });

  it('a return stays PROCESSING until it is settled, by hand or after a while', async () => {
    await sharedOrder('shared');
    const { setReturnOutcome, settleReturn, returnsOf } = fixture.simulator;
    setReturnOutcome({ result: 'PROCESSING', outReturnNo: 'r1' });
    setReturnOutcome({ result: 'SUCCESS', outReturnNo: 'r2', afterMs: 0 });
    const first = await returnShared(fixture, 'shared', 'r1');
    const second = await returnShared(fixture, 'shared', 'r2', { amount: 1 });
    for (const { json } of [first, second]) expect(json).toMatchObject({ result: 'PROCESSING' });
    while (returnsOf()[1]?.result === 'PROCESSING') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    settleReturn({ outReturnNo: 'r1', result: 'FAILED' });
    const ended = [{ result: 'FAILED', failReason: 'BALANCE_NOT_ENOUGH' }, { result: 'SUCCESS' }];
    expect(returnsOf()).toMatchObject(ended);
    expect(() => settleReturn({ outReturnNo: 'r1', result: 'SUCCESS' })).toThrow('is FAILED');
    expect(() => settleReturn({ outReturnNo: 'none', result: 'SUCCESS' })).toThrow('no such');
  });

  it('a return more than 180 days after the sharing is refused', async () => {
    await sharedOrder('shared');
    fixture.simulator.advanceClock(180 * DAY_MS - 60_000);
    expect((await returnShared(fixture, 'shared', 'r1', { amount: 1 })).status).toBe(200);
    fixture.simulator.advanceClock(120_000);
    expectRefused(await returnShared(fixture, 'shared', 'r2'), 400, 'INVALID_REQUEST');
  });
});

describe('the money of a payment that can be shared', () => {
  it('a refund takes unshared money, and shared money once it is taken back', async () => {
    const { no, transactionId } = await sharedOrder('shared');
    expectRefused(await refundOf('r1', transactionId, 1131), 403, 'NOT_ENOUGH');
    expect((await refundOf('r2', transactionId, 1130)).status).toBe(200);
    expectRefused(await refundOf('r4', transactionId, 1), 403, 'NOT_ENOUGH');
    await returnShared(fixture, 'shared', 'back', { amount: 100 });
    expect((await refundOf('r3', transactionId, 100)).status).toBe(200);
    expect(fixture.simulator.balanceOf(no)).toEqual({
      totalFen: 1230,
      refundedFen: 1230,
      sharedFen: 100,
      returnedFen: 100,
      frozenFen: 0,
      unfrozenFen: 0,
    });
    expect(fixture.simulator.contentsOf('refunds')).toEqual({ r1: 1, r2: 1, r3: 1, r4: 1 });
  });

  it('a payment that was refunded can’t be shared, in whatever way', async () => {
    const { transactionId } = await paidOrder(fixture);
    await refundOf('r1', transactionId, 1200);
    const amount = { transaction_id: transactionId, unsplit_amount: 30 };
    expect(await unsplitAmount(fixture, transactionId)).toEqual(amount);
    const ask = (amountFen: number) => {
      const more = { out_order_no: 's1', receivers: [partFor(amountFen)] };
      return share(fixture, transactionId, more);
    };
    expectRefused(await ask(31), 403, 'NOT_ENOUGH');
    expect((await ask(30)).status).toBe(200);
    expect(await unsplitAmount(fixture, transactionId)).toMatchObject({ unsplit_amount: 0 });
  });

  it('each fen of a payment is in one place after every step', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    const { settleSharing } = fixture.simulator;
    const settle = (outOrderNo: string, result: 'SUCCESS' | 'CLOSED') =>
      settleSharing({ outOrderNo, account: PARTNER, result, callbacks: 0 });
    const shareAs = (outOrderNo: string) =>
      share(fixture, transactionId, { out_order_no: outOrderNo });
    // Each step, and the sums then refunded, shared, returned, frozen and unfrozen.
    const steps: [() => Promise<unknown>, number[]][] = [
      [() => shareAs('s1'), [0, 100, 0, 1130, 0]],
      [() => refundOf('r1', transactionId, 200), [200, 100, 0, 930, 0]],
      [() => settle('s1', 'SUCCESS'), [200, 100, 0, 930, 0]],
      [() => shareAs('s2'), [200, 200, 0, 830, 0]],
      [() => settle('s2', 'CLOSED'), [200, 100, 0, 930, 0]],
      [() => returnShared(fixture, 's1', 'b1', { amount: 50 }), [200, 100, 50, 930, 50]],
      [() => unfreeze(fixture, transactionId, 'u1'), [200, 100, 50, 0, 980]],
      [() => refundOf('r2', transactionId, 980), [1180, 100, 50, 0, 0]],
    ];
    for (const [step, amounts] of steps) {
      await step();
      const [refundedFen, sharedFen, returnedFen, frozenFen, unfrozenFen] = amounts;
      const parts = { refundedFen, sharedFen, returnedFen, frozenFen, unfrozenFen };
      expect(fixture.simulator.balanceOf(no)).toEqual({ totalFen: 1230, ...parts });
    }
    expect(fixture.simulator.balanceOf('none')).toBeNull();
  });
});

describe('a jump of the simulator’s clock', () => {
  it('a jump by a year makes payments old and leaves signatures of today', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    const before = (await query(fixture, no)).headers.get('wechatpay-timestamp');
    fixture.simulator.advanceClock(366 * DAY_MS);
    const after = await query(fixture, no);
    expect(Number(after.headers.get('wechatpay-timestamp')) - Number(before)).toBeLessThan(300);
    expectRefused(await refundOf('late', transactionId, 1), 400, 'INVALID_REQUEST');
    expectRefused(await queryRefund(fixture, 'late'), 404, 'RESOURCE_NOT_EXISTS');
    fixture.simulator.reset();
    await addReceiver(fixture);
    const again = await paidOrder(fixture);
    const shared = await share(fixture, again.transactionId, { out_order_no: 'today' });
    expect(shared.status).toBe(200);
  });
});

describe('a fault of profit sharing', () => {
  it('a fault cuts before or after the work, and only for the number it names', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    const { setFault } = fixture.simulator;
    setFault({ operation: 'share', kind: 'cut', outOrderNo: 'before' });
    setFault({ operation: '*', kind: 'cut_after', outOrderNo: 'after' });
    const ask = (outOrderNo: string) => share(fixture, transactionId, { out_order_no: outOrderNo });
    expect((await ask('neither')).status).toBe(200);
    await expect(ask('before')).rejects.toThrow();
    await expect(ask('after')).rejects.toThrow();
    const found = (outOrderNo: string) => querySharing(fixture, outOrderNo, transactionId);
    expectRefused(await found('before'), 404, 'RESOURCE_NOT_EXISTS');
    expect((await found('after')).status).toBe(200);
    expect(fixture.simulator.requestsOf('before')).toMatchObject([
      { operation: 'share', outTradeNo: no, fault: 'cut' },
      { operation: 'share_query', status: 404 },
    ]);
    expect(fixture.simulator.requests().counts).toMatchObject({ share: 3, share_query: 2 });
    expect(fixture.simulator.contentsOf('sharings')).toEqual({ neither: 1, before: 1, after: 1 });
  });

  it('a fault refuses a return for the balance, later the same number succeeds', async () => {
    await sharedOrder('shared');
    const code = 'NOT_ENOUGH';
    const fault = { operation: 'return', kind: 'error', status: 403, code } as const;
    fixture.simulator.setFault({ ...fault, outReturnNo: 'r1' });
    expectRefused(await returnShared(fixture, 'shared', 'r1'), 403, code);
    expect((await returnShared(fixture, 'shared', 'r1')).status).toBe(200);
    expect(fixture.simulator.requestsOf('r1')).toHaveLength(2);
  });
});

describe('the control API of profit sharing', () => {
  const send = async (path: string, body?: object): Promise<{ status: number; json: unknown }> => {
    const response = await fetch(`${fixture.simulator.url}/_control/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: await response.json() };
  };

  it('control calls set rules, outcomes and the clock, end and show sharings', async () => {
    const { no, transactionId } = await paidOrder(fixture);
    await send('sharing-rules', { shareable_after_ms: 60_000 });
    const early = await share(fixture, transactionId, { out_order_no: 's1' });
    expectRefused(early, 403, 'RULE_LIMIT');
    expect((await send('clock', { advance_ms: 60_000 })).status).toBe(200);
    await send('sharing-rules', { shareable_after_ms: 0 });
    await send('sharing-outcome', { result: 'PENDING', out_order_no: 's1', account: PARTNER });
    expect((await share(fixture, transactionId, { out_order_no: 's1' })).status).toBe(200);
    const part = { out_order_no: 's1', account: PARTNER, callbacks: 0 };
    const settled = await send('settle-sharing', { ...part, result: 'SUCCESS' });
    expect(settled.json).toMatchObject({ result: 'SUCCESS', notification_id: null });
    expect((await send('settle-sharing', { ...part, result: 'CLOSED' })).status).toBe(409);
    await send('return-outcome', { result: 'PROCESSING' });
    await returnShared(fixture, 's1', 'b1');
    await send('settle-return', { out_return_no: 'b1', result: 'SUCCESS' });
    const sharing = { out_order_no: 's1', parts: [{ amount_fen: 100, result: 'SUCCESS' }] };
    expect((await send(`sharings?out_trade_no=${no}`)).json).toMatchObject([sharing]);
    expect((await send('returns')).json).toMatchObject([{ result: 'SUCCESS' }]);
    const balance = { shared_fen: 100, returned_fen: 60, frozen_fen: 1130, unfrozen_fen: 60 };
    expect((await send(`balances/${no}`)).json).toMatchObject(balance);
    expect((await send('balances/none')).status).toBe(404);
    expect((await send('contents?of=sharings')).json).toEqual({ s1: 1 });
    expect((await send('contents?of=orders')).status).toBe(400);
  });
});
