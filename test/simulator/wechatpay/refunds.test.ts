// The simulator's refunds: requested, ended, reported, refused.
import { open, startReceiver, type CallbackReceiver } from './support/callback-receiver';
import { containing, matching } from './support/matchers';
import {
  call,
  isSignedBy,
  prepay,
  prepayBody,
  query,
  queryRefund,
  refund,
  refundBody,
  start,
  type Fixture,
  type Received,
} from './support/merchant-client';

let fixture: Fixture;
let receiver: CallbackReceiver;
let sequence = 0;

beforeAll(async () => {
  fixture = await start();
  receiver = await startReceiver();
});
afterAll(async () => {
  await fixture.simulator.close();
  await receiver.close();
});
beforeEach(() => {
  fixture.simulator.reset();
  fixture.simulator.setClockSpeed(1);
  receiver.received.length = 0;
  // Nothing ends by itself, except where a test sets that.
  fixture.simulator.setRefundOutcome({ status: 'PROCESSING' });
});

const newNumber = (): string => `REFUND-${String(++sequence).padStart(6, '0')}`;

async function paidOrder(times = 1): Promise<{ no: string; transactionIds: string[] }> {
  const no = newNumber();
  await prepay(fixture, prepayBody(fixture.credentials, no));
  const transactionIds: string[] = [];
  for (let i = 0; i < times; i++) {
    const paid = await fixture.simulator.pay({ outTradeNo: no, callbacks: 0, force: true });
    transactionIds.push(paid.transactionId ?? '');
  }
  return { no, transactionIds };
}

const amount = (refundFen: number, more: object = {}) => ({
  amount: { refund: refundFen, total: 1230, currency: 'CNY', ...more },
});

function expectRefused(answer: Received, status: number, code: string): void {
  expect([answer.status, answer.json]).toEqual([status, containing({ code })]);
}

describe('a refund at the simulator', () => {
  it('a refund is PROCESSING and returned signed, with all of WeChat’s fields', async () => {
    const { no, transactionIds } = await paidOrder();
    const body = refundBody('op_1|a*b@c', { transaction_id: transactionIds[0] });
    const answer = await refund(fixture, body);
    expect(answer.json).toEqual({
      refund_id: matching(/^503\d{25}$/),
      out_refund_no: 'op_1|a*b@c',
      transaction_id: transactionIds[0],
      out_trade_no: no,
      channel: 'ORIGINAL',
      user_received_account: '支付用户零钱',
      create_time: matching(/\+08:00$/),
      status: 'PROCESSING',
      funds_account: 'AVAILABLE',
      amount: containing({ total: 1230, refund: 30, payer_refund: 30, currency: 'CNY' }),
      promotion_detail: [],
    });
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    expect(isSignedBy(key, (name) => answer.headers.get(name), answer.text)).toBe(true);
    expect((await queryRefund(fixture, 'op_1|a*b@c')).json).toEqual(answer.json);
  });

  it('a refund of an order number is a refund of its first payment', async () => {
    const { no, transactionIds } = await paidOrder(2);
    const answer = await refund(fixture, refundBody('first', { out_trade_no: no }));
    expect(answer.json).toMatchObject({ transaction_id: transactionIds[0] });
  });

  it('a refund makes its payment REFUND, and no other one', async () => {
    const { no, transactionIds } = await paidOrder(2);
    await refund(fixture, refundBody('second', { transaction_id: transactionIds[1] }));
    expect((await query(fixture, no)).json).toMatchObject({ trade_state: 'SUCCESS' });
    await refund(fixture, refundBody('first', { transaction_id: transactionIds[0] }));
    expect((await query(fixture, no)).json).toMatchObject({ trade_state: 'REFUND' });
    expect(fixture.simulator.order(no)?.tradeState).toBe('REFUND');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a number with a blank', { out_refund_no: 'a b' }, '/out_refund_no'],
    ['a number of 65 characters', { out_refund_no: 'x'.repeat(65) }, '/out_refund_no'],
    ['no payment named', { transaction_id: undefined }, '/transaction_id'],
    ['a null', { reason: null }, '/reason'],
    ['81 characters of reason', { reason: '退'.repeat(81) }, '/reason'],
    ['an unknown field', { surprise: 1 }, '/surprise'],
    ['a query in notify_url', { notify_url: 'https://a.example/?x=1' }, '/notify_url'],
    ['nothing', amount(0), '/amount/refund'],
    ['a part of a fen', amount(0.5), '/amount/refund'],
  ])('a refund with %s is PARAM_ERROR that names the field', async (_name, more, field) => {
    const { transactionIds } = await paidOrder();
    const body = refundBody('refund', { transaction_id: transactionIds[0], ...more });
    const answer = await refund(fixture, body);
    expectRefused(answer, 400, 'PARAM_ERROR');
    expect(answer.json).toMatchObject({ detail: { field } });
  });

  it('a refund of something unknown or unpaid is refused', async () => {
    const { no, transactionIds } = await paidOrder();
    const unpaid = newNumber();
    await prepay(fixture, prepayBody(fixture.credentials, unpaid));
    const of = (more: object) => refund(fixture, refundBody('refund', { ...more }));
    expectRefused(await of({ transaction_id: '4200' }), 404, 'RESOURCE_NOT_EXISTS');
    expectRefused(await of({ out_trade_no: 'not-there' }), 404, 'RESOURCE_NOT_EXISTS');
    const mixed = { transaction_id: transactionIds[0], out_trade_no: unpaid };
    expectRefused(await of(mixed), 404, 'RESOURCE_NOT_EXISTS');
    expectRefused(await of({ out_trade_no: unpaid }), 400, 'INVALID_REQUEST');
    const other = amount(30, { total: 1231 });
    expectRefused(await of({ out_trade_no: no, ...other }), 400, 'INVALID_REQUEST');
    const dollars = amount(30, { currency: 'USD' });
    expectRefused(await of({ out_trade_no: no, ...dollars }), 400, 'INVALID_REQUEST');
    expectRefused(await queryRefund(fixture, 'refund'), 404, 'RESOURCE_NOT_EXISTS');
    expect((await query(fixture, no)).json).toMatchObject({ trade_state: 'SUCCESS' });
  });

  it('a repeated refund returns its present state; other content is refused', async () => {
    const { no, transactionIds } = await paidOrder();
    const body = refundBody('again', { transaction_id: transactionIds[0] });
    const first = await refund(fixture, body);
    await fixture.simulator.settleRefund({ outRefundNo: 'again', status: 'SUCCESS' });
    const second = await refund(fixture, body);
    const { refund_id: refundId } = first.json as { refund_id: string };
    expect(second.json).toMatchObject({ refund_id: refundId, status: 'SUCCESS' });
    for (const other of [amount(31), { reason: 'another' }]) {
      expectRefused(await refund(fixture, { ...body, ...other }), 400, 'INVALID_REQUEST');
    }
    expect(fixture.simulator.refundsOf(no)).toHaveLength(1);
  });

  it('refunds never exceed the payment; a closed one frees its part', async () => {
    const { no } = await paidOrder();
    const ask = (outRefundNo: string, refundFen: number) =>
      refund(fixture, refundBody(outRefundNo, { out_trade_no: no, ...amount(refundFen) }));
    expect((await ask('part-1', 1000)).status).toBe(200);
    expectRefused(await ask('part-2', 231), 400, 'INVALID_REQUEST');
    expect((await ask('part-3', 230)).status).toBe(200);
    await fixture.simulator.settleRefund({ outRefundNo: 'part-1', status: 'CLOSED' });
    expect((await ask('part-2', 1000)).status).toBe(200);
    expectRefused(await ask('part-4', 1), 400, 'INVALID_REQUEST');
  });

  it('a payment takes fifty refunds', async () => {
    const { no } = await paidOrder();
    for (let i = 1; i <= 51; i++) {
      const body = refundBody(`part-${i}`, { out_trade_no: no, ...amount(1) });
      expect((await refund(fixture, body)).status).toBe(i <= 50 ? 200 : 400);
    }
    expect(fixture.simulator.refundsOf(no)).toHaveLength(50);
  });

  it('a refund a year after the payment is refused', async () => {
    let nowMs = Date.now();
    const late = await start('public_key', { now: () => nowMs });
    await prepay(late, prepayBody(late.credentials, 'LATE-ORDER'));
    await late.simulator.pay({ outTradeNo: 'LATE-ORDER', callbacks: 0 });
    nowMs += 366 * 24 * 3_600_000;
    const path = '/v3/refund/domestic/refunds';
    const body = JSON.stringify(refundBody('late', { out_trade_no: 'LATE-ORDER' }));
    const timestamp = Math.floor(nowMs / 1000);
    const answer = await call(late, { method: 'POST', path, body, timestamp });
    expectRefused(answer, 400, 'INVALID_REQUEST');
    await late.simulator.close();
  });
});

describe('the end of a refund at the simulator', () => {
  const asked = async (outRefundNo: string): Promise<string> => {
    const { no } = await paidOrder();
    const more = { out_trade_no: no, notify_url: receiver.url };
    expect((await refund(fixture, refundBody(outRefundNo, more))).status).toBe(200);
    return no;
  };
  const opened = () =>
    receiver.received.map(({ body }) => open(body, fixture.credentials.apiV3Key));

  it('a refund is SUCCESS by itself after a short while, with one signed callback', async () => {
    fixture.simulator.reset();
    const no = await asked('by-itself');
    expect(fixture.simulator.refund('by-itself')?.status).toBe('PROCESSING');
    await receiver.waitFor(1);
    const [received] = receiver.received;
    const header = (name: string): string => String(received?.headers[name]);
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    expect(isSignedBy(key, header, received?.body ?? '')).toBe(true);
    const view = fixture.simulator.refund('by-itself');
    expect(opened()).toMatchObject([{ eventType: 'REFUND.SUCCESS' }]);
    expect(opened()[0]?.content).toEqual({
      mchid: fixture.credentials.merchantId,
      out_trade_no: no,
      transaction_id: view?.transactionId,
      out_refund_no: 'by-itself',
      refund_id: view?.refundId,
      refund_status: 'SUCCESS',
      success_time: matching(/\+08:00$/),
      user_received_account: '支付用户零钱',
      amount: { total: 1230, refund: 30, payer_total: 1230, payer_refund: 30 },
    });
    expect((await queryRefund(fixture, 'by-itself')).json).toMatchObject({
      status: 'SUCCESS',
      success_time: matching(/\+08:00$/),
    });
    expect(fixture.simulator.deliveries(no)).toMatchObject([{ outRefundNo: 'by-itself' }]);
  });

  it.each(['SUCCESS', 'CLOSED', 'ABNORMAL'] as const)('a refund can end as %s', async (status) => {
    fixture.simulator.setRefundOutcome({ status, afterMs: 0, callbacks: 2 });
    await asked(`will-be-${status}`);
    await receiver.waitFor(2);
    expect(opened()).toMatchObject(
      Array(2).fill({ eventType: `REFUND.${status}`, content: { refund_status: status } }),
    );
    expect(new Set(opened().map(({ id }) => id)).size).toBe(1);
    const answer = await queryRefund(fixture, `will-be-${status}`);
    expect(answer.json).toMatchObject({ status });
  });

  it('a refund gets the newest rule for its order or number, as often as it says', async () => {
    const { setRefundOutcome } = fixture.simulator;
    setRefundOutcome({ status: 'CLOSED', afterMs: 0, callbacks: 0, outRefundNo: 'rule-1' });
    setRefundOutcome({ status: 'ABNORMAL', afterMs: 0, times: 1 });
    await asked('rule-2');
    await receiver.waitFor(1);
    await asked('rule-1');
    await asked('rule-3');
    while (fixture.simulator.refund('rule-1')?.status === 'PROCESSING') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const statusOf = (no: string) => fixture.simulator.refund(no)?.status;
    expect(['rule-1', 'rule-2', 'rule-3'].map(statusOf)).toEqual([
      'CLOSED',
      'ABNORMAL',
      'PROCESSING',
    ]);
    expect(receiver.received).toHaveLength(1);
  });

  it('a refund that ends by hand ends once; a repeated callback has another id', async () => {
    await asked('by-hand');
    const { settleRefund } = fixture.simulator;
    const ended = await settleRefund({ outRefundNo: 'by-hand', status: 'SUCCESS' });
    expect(ended).toMatchObject({ status: 'SUCCESS', callback: { outcome: 'accepted' } });
    const again = await settleRefund({ outRefundNo: 'by-hand', status: 'SUCCESS' });
    expect(again.notificationId).not.toBe(ended.notificationId);
    expect(receiver.received).toHaveLength(2);
    const other = { outRefundNo: 'by-hand', status: 'CLOSED' } as const;
    await expect(settleRefund(other)).rejects.toThrow('the refund is SUCCESS');
    await expect(settleRefund({ ...other, outRefundNo: 'none' })).rejects.toThrow('no such');
  });

  it('a refund’s callback is repeated until accepted, and lost where that is set', async () => {
    receiver.answer(500);
    await asked('refused');
    fixture.simulator.setClockSpeed(100_000);
    await fixture.simulator.settleRefund({ outRefundNo: 'refused', status: 'SUCCESS' });
    receiver.answer(204);
    await receiver.waitFor(2);
    expect(new Set(opened().map(({ id }) => id)).size).toBe(1);
    fixture.simulator.setCallbackBehaviour({ drop: true });
    const lost = { outRefundNo: 'refused', status: 'SUCCESS' } as const;
    const { callback } = await fixture.simulator.settleRefund(lost);
    expect(callback?.outcome).toBe('dropped');
  });

  it('a refund leaves the payment’s own callback available for a repeat', async () => {
    const no = newNumber();
    const notify = { notify_url: receiver.url };
    await prepay(fixture, prepayBody(fixture.credentials, no, notify));
    await fixture.simulator.pay({ outTradeNo: no });
    await refund(fixture, refundBody('between', { out_trade_no: no, ...notify }));
    await fixture.simulator.settleRefund({ outRefundNo: 'between', status: 'SUCCESS' });
    await fixture.simulator.notify({ outTradeNo: no });
    expect(opened().map(({ eventType }) => eventType)).toEqual([
      'TRANSACTION.SUCCESS',
      'REFUND.SUCCESS',
      'TRANSACTION.SUCCESS',
    ]);
  });

  it('a refund never ends after a reset or the end of the simulator', async () => {
    const other = await start();
    const order = prepayBody(other.credentials, 'ENDED-ORDER');
    await prepay(other, order);
    await other.simulator.pay({ outTradeNo: 'ENDED-ORDER', callbacks: 0 });
    other.simulator.setRefundOutcome({ status: 'SUCCESS', afterMs: 20 });
    const more = { out_trade_no: 'ENDED-ORDER', notify_url: receiver.url };
    await refund(other, refundBody('ended', more));
    await other.simulator.close();
    fixture.simulator.setRefundOutcome({ status: 'SUCCESS', afterMs: 20 });
    await asked('reset');
    fixture.simulator.reset();
    expect(fixture.simulator.refund('reset')).toBeNull();
    // A later refund with the same delay has come: earlier ones would have come before it.
    fixture.simulator.setRefundOutcome({ status: 'SUCCESS', afterMs: 40 });
    await asked('later');
    await receiver.waitFor(1);
    expect(opened()).toMatchObject([{ content: { out_refund_no: 'later' } }]);
    expect(other.simulator.refund('ended')?.status).toBe('PROCESSING');
  });
});

describe('a fault of refunds', () => {
  it('a fault refuses a refund for the balance, later the same number succeeds', async () => {
    const { no } = await paidOrder();
    const fault = { operation: 'refund', kind: 'error', status: 403, code: 'NOT_ENOUGH' } as const;
    fixture.simulator.setFault({ ...fault, outTradeNo: no });
    const body = refundBody('balance', { out_trade_no: no });
    expectRefused(await refund(fixture, body), 403, 'NOT_ENOUGH');
    expect(fixture.simulator.refundsOf(no)).toEqual([]);
    expect((await refund(fixture, body)).status).toBe(200);
  });

  it('a fault cuts before or after the work, and only for the refund it names', async () => {
    const { no, transactionIds } = await paidOrder();
    const ask = (outRefundNo: string) =>
      refund(fixture, refundBody(outRefundNo, { transaction_id: transactionIds[0] }));
    fixture.simulator.setFault({ operation: 'refund', kind: 'cut', outRefundNo: 'before' });
    fixture.simulator.setFault({ operation: '*', kind: 'cut_after', outRefundNo: 'after' });
    expect((await ask('neither')).status).toBe(200);
    await expect(ask('before')).rejects.toThrow();
    await expect(ask('after')).rejects.toThrow();
    expectRefused(await queryRefund(fixture, 'before'), 404, 'RESOURCE_NOT_EXISTS');
    expect((await queryRefund(fixture, 'after')).json).toMatchObject({ status: 'PROCESSING' });
    const asked = fixture.simulator.requestsOf(no).map((one) => [one.operation, one.outRefundNo]);
    expect(asked.slice(-4)).toEqual([
      ['refund', 'neither'],
      ['refund', 'before'],
      ['refund', 'after'],
      ['refund_query', 'after'],
    ]);
    expect(fixture.simulator.requestsOf('before')).toMatchObject([
      { operation: 'refund', fault: 'cut' },
      { operation: 'refund_query', status: 404 },
    ]);
    expect(fixture.simulator.requests().counts).toMatchObject({ refund: 3, refund_query: 2 });
  });
});

describe('the control API of refunds', () => {
  const send = async (path: string, body?: object): Promise<{ status: number; json: unknown }> => {
    const response = await fetch(`${fixture.simulator.url}/_control/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: await response.json() };
  };

  it('control calls set outcomes, end refunds and show them', async () => {
    const { no } = await paidOrder();
    const outcome = { status: 'ABNORMAL', after_ms: 0, out_trade_no: no, callbacks: 0, times: 1 };
    expect((await send('refund-outcome', outcome)).status).toBe(200);
    await refund(fixture, refundBody('shown', { out_trade_no: no }));
    while (fixture.simulator.refund('shown')?.status === 'PROCESSING') {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const view = { out_refund_no: 'shown', refund_fen: 30, total_fen: 1230, success_time: null };
    expect((await send('refunds/shown')).json).toMatchObject({ ...view, status: 'ABNORMAL' });
    const ended = await send('settle-refund', { out_refund_no: 'shown', status: 'CLOSED' });
    expect(ended.json).toEqual({
      out_refund_no: 'shown',
      status: 'CLOSED',
      notification_id: null,
      callback: null,
    });
    expect((await send(`refunds?out_trade_no=${no}`)).json).toMatchObject([{ status: 'CLOSED' }]);
    expect((await send('refunds?out_trade_no=none')).json).toEqual([]);
    expect((await send('refunds')).json).toHaveLength(1);
    expect((await send('refunds/none')).status).toBe(404);
    const wrong = { out_refund_no: 'shown', status: 'SUCCESS' };
    expect((await send('settle-refund', wrong)).status).toBe(409);
    expect((await send('refund-outcome', { status: 'DONE' })).status).toBe(400);
  });
});
