// Refunds that a caller requests: parts, repeats, limits, and WeChat's reports on them.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import {
  resolve,
  resolveByTwo,
  lateOrder,
  orderOf,
  setPolicy,
  setSetting,
  untilOpened,
} from '../support/interventions';
import {
  requestRefund,
  atWechat,
  externalRefund,
  paidOrder,
  refundsWith,
} from '../support/refunds';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  await setPolicy(oncepay, 'wechat.refund', { base_delay_ms: 50 });
});
afterEach(() => oncepay.simulator.clearFaults());

const refund = (no: string, body: object, headers?: Record<string, string>) =>
  requestRefund(oncepay, no, body, headers);
function untilRefunds(no: string, statuses: readonly string[], timeoutMs?: number) {
  const what = `its refunds are ${statuses.join(', ')}`;
  return oncepay.untilOrder(no, what, (order) => refundsWith(order, statuses), timeoutMs);
}

test('an order whose payment is refunded in two parts is refunded with the last', async () => {
  const no = await paidOrder(oncepay);
  const part = await refund(no, { out_refund_no: `${no}-1`, amount: 100, reason: 'Too small' });
  expect(part).toMatchObject({
    status: 202,
    body: {
      out_refund_no: `${no}-1`,
      out_trade_no: no,
      amount: 100,
      status: 'pending',
      reason: 'Too small',
      origin: 'api',
      succeeded_at: null,
    },
  });
  const partly = await untilRefunds(no, ['succeeded']);
  expect(partly).toMatchObject({ status: 'fulfilled', amount: { total: 300, refunded: 100 } });
  expect((await refund(no, { out_refund_no: `${no}-2`, amount: 200 })).status).toBe(202);
  const wholly = await untilRefunds(no, ['succeeded', 'succeeded']);
  expect(wholly).toMatchObject({ status: 'refunded', amount: { total: 300, refunded: 300 } });
  expect(atWechat(oncepay, no)).toEqual({ asked: 2, backFen: 300, contents: 1 });
  const told = await until('the shop was told of both', () => {
    const events = oncepay.webhooks.of(no).map(({ id }) => id);
    const ids = [`${no}:refund.succeeded:${no}-1`, `${no}:refund.succeeded:${no}-2`];
    return Promise.resolve(ids.every((id) => events.includes(id)) ? ids : null);
  });
  expect(told).toHaveLength(2);
});

test('parallel refund requests never exceed the payment', async () => {
  const no = await paidOrder(oncepay);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => refund(no, { out_refund_no: `${no}-${n}`, amount: 70 })),
  );
  const taken = answers.filter(({ status }) => status === 202);
  expect(taken).toHaveLength(4);
  expect(answers.filter(({ status }) => status === 409)).toHaveLength(16);
  const order = await untilRefunds(
    no,
    Array.from({ length: 4 }, () => 'succeeded'),
  );
  expect(order.amount.refunded).toBe(280);
  expect(atWechat(oncepay, no)).toEqual({ asked: 4, backFen: 280, contents: 1 });
  expect((await refund(no, { out_refund_no: `${no}-x`, amount: 21 })).body).toMatchObject({
    code: 'REFUND_EXCEEDS_PAYMENT',
    left: 20,
  });
});

describe('a refund that is requested twice', () => {
  test('a repeat with the same number and content is the same refund: 202, then 200', async () => {
    const no = await paidOrder(oncepay);
    oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', outTradeNo: no, times: 1 });
    const body = { out_refund_no: `${no}-a`, amount: 120, restock: true };
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => refund(no, body)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    await untilRefunds(no, ['processing']);
    await oncepay.simulator.settleRefund({ outRefundNo: `${no}-a`, status: 'SUCCESS' });
    await untilRefunds(no, ['succeeded']);
    expect(await refund(no, body)).toMatchObject({ status: 200, body: { status: 'succeeded' } });
    expect(atWechat(oncepay, no)).toEqual({ asked: 1, backFen: 120, contents: 1 });
  });

  test.each<[string, (no: string) => object]>([
    ['another amount', () => ({ amount: 121 })],
    ['another reason', () => ({ amount: 120, reason: 'other' })],
    ['goods that come back', () => ({ amount: 120, restock: true })],
    ['codes that come back', () => ({ amount: 120, revoke_codes: true })],
  ])('a refund number that comes again with %s gets 422', async (_, other) => {
    const no = await paidOrder(oncepay);
    const outRefundNo = `${no}-b`;
    expect((await refund(no, { out_refund_no: outRefundNo, amount: 120 })).status).toBe(202);
    const answered = await refund(no, { out_refund_no: outRefundNo, ...other(no) });
    expect(answered).toMatchObject({ status: 422, body: { code: 'OUT_REFUND_NO_USED' } });
    expect((await untilRefunds(no, ['succeeded'])).amount.refunded).toBe(120);
  });

  test('a refund number belongs to one order, also when two request it at once', async () => {
    const [one, two] = [await paidOrder(oncepay), await paidOrder(oncepay)];
    const body = { out_refund_no: `${one}-shared`, amount: 50 };
    const answers = await Promise.all([refund(one, body), refund(two, body)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 422]);
  });

  test('an Idempotency-Key decides alone: same body same refund, another body 422', async () => {
    const no = await paidOrder(oncepay);
    const key = { 'Idempotency-Key': `key-${no}` };
    const first = await refund(no, { amount: 90 }, key);
    const again = await refund(no, { amount: 90 }, key);
    expect([first.status, again.status]).toEqual([202, 202]);
    const number = (first.body as { out_refund_no: string }).out_refund_no;
    expect(number).toMatch(/^op_[0-9a-f]{40}$/);
    expect(again.body).toMatchObject({ out_refund_no: number });
    const others = [{ amount: 91 }, { amount: 90, out_refund_no: `${no}-c` }];
    for (const body of others) {
      expect((await refund(no, body, key)).body).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    }
    // The key's row is purged after some weeks; the number made from it stays.
    await oncepay.sql.query('DELETE FROM idempotency_keys WHERE key = $1', [`key-${no}`]);
    expect((await refund(no, { amount: 90 }, key)).body).toMatchObject({ out_refund_no: number });
    expect((await untilRefunds(no, ['succeeded'])).amount.refunded).toBe(90);
  });

  test('a refused refund can be requested again with its Idempotency-Key', async () => {
    const no = await paidOrder(oncepay);
    const key = { 'Idempotency-Key': `refused-${no}` };
    expect((await refund(no, { amount: 301 }, key)).status).toBe(409);
    expect((await refund(no, { amount: 300 }, key)).status).toBe(202);
    expect((await refund(no, { amount: 300 }, key)).status).toBeLessThan(300);
  });
});

describe('a refund request that is invalid', () => {
  test.each<[string, object, string]>([
    ['neither number nor key', { amount: 100 }, 'out_refund_no'],
    ['a number of ours', { amount: 100, out_refund_no: 'op_1' }, 'out_refund_no'],
    ['a number WeChat refuses', { amount: 100, out_refund_no: 'a b' }, 'out_refund_no'],
    ['no amount', { out_refund_no: 'x' }, 'amount'],
    ['amount 0', { out_refund_no: 'x', amount: 0 }, 'amount'],
    ['a part of a 分', { out_refund_no: 'x', amount: 1.5 }, 'amount'],
    ['a long reason', { out_refund_no: 'x', amount: 1, reason: 'x'.repeat(81) }, 'reason'],
    ['restock as text', { out_refund_no: 'x', amount: 1, restock: 'yes' }, 'restock'],
  ])('a refund request with %s gets 400, and the reply names the field', async (_, body, field) => {
    const no = await paidOrder(oncepay);
    const { status, body: problem } = await refund(no, body);
    expect([status, problem]).toMatchObject([400, { errors: [{ field }] }]);
    expect((await oncepay.order(no)).refunds).toEqual([]);
  });

  test('a refund of an unpaid order gets 409, one with a mistyped number 400', async () => {
    const open = await oncepay.newOrder();
    const closed = await oncepay.newOrder();
    await oncepay.call('POST', `/v1/orders/${closed}/close`);
    await oncepay.untilStatus(closed, 'closed');
    for (const no of [open, closed]) {
      expect((await refund(no, { out_refund_no: `${no}-d`, amount: 1 })).body).toMatchObject({
        code: 'ORDER_NOT_REFUNDABLE',
      });
    }
    const unknown = await refund(open.replace(/^2026/, '2025'), { out_refund_no: 'q', amount: 1 });
    expect(unknown.body).toMatchObject({ code: 'IDENTIFIER_INVALID' });
  });

  test('a payment takes at most 50 refunds, within 365 days', async () => {
    const no = await paidOrder(oncepay);
    await oncepay.sql.query(
      `UPDATE payment_transactions SET success_time = now() - interval '366 days'
       WHERE order_no = $1`,
      [no],
    );
    const late = await refund(no, { out_refund_no: `${no}-e`, amount: 1 });
    expect(late).toMatchObject({ status: 409, body: { code: 'REFUND_LIMIT' } });
    await oncepay.sql.query(
      `UPDATE payment_transactions SET success_time = now() WHERE order_no = $1`,
      [no],
    );
    for (let n = 0; n < 50; n += 1) {
      // While the refund before it is booked, a busy machine may reply 503; the shop repeats it.
      const request = () => refund(no, { out_refund_no: `${no}-${n}`, amount: 1 });
      const { status } = await until('there is a reply', async () => {
        const reply = await request();
        return reply.status === 503 ? null : reply;
      });
      expect(status).toBe(202);
    }
    const many = await refund(no, { out_refund_no: `${no}-51`, amount: 1 });
    expect(many).toMatchObject({ status: 409, body: { code: 'REFUND_LIMIT' } });
  });
});

test('a refund of late money ends the intervention that was open for it', async () => {
  await setSetting(oncepay, 'late_payment', 'ask');
  const no = await lateOrder(oncepay);
  await untilOpened(oncepay, no, 'late_payment');
  await setSetting(oncepay, 'late_payment', null);
  expect((await refund(no, { out_refund_no: `${no}-1`, amount: 300 })).status).toBe(202);
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
});

test('refunds of one order wait for their spacing and don’t fail', async () => {
  const freshWorker = async () => {
    await oncepay.workers.pop()?.kill();
    oncepay.workers.push(await oncepay.startWorker());
  };
  await setSetting(oncepay, 'refund_spacing', '3s');
  // Workers read settings every few seconds; a new worker reads them now.
  await freshWorker();
  try {
    const no = await paidOrder(oncepay);
    for (const n of [1, 2]) await refund(no, { out_refund_no: `${no}-${n}`, amount: 10 });
    await untilRefunds(no, ['succeeded', 'succeeded']);
    const [first, second] = oncepay.simulator
      .refundsOf(no)
      .map(({ createdAt }) => Date.parse(createdAt))
      .sort((a, b) => a - b);
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(2_900);
  } finally {
    await setSetting(oncepay, 'refund_spacing', null);
    await freshWorker();
  }
});

describe('the reports of WeChat on a refund', () => {
  test('a refund that WeChat closes gets a new number only from an operator', async () => {
    const no = await paidOrder(oncepay);
    oncepay.simulator.setRefundOutcome({ status: 'CLOSED', outTradeNo: no, times: 1 });
    await refund(no, { out_refund_no: `${no}-1`, amount: 100, restock: true });
    const intervention = await untilOpened(oncepay, no, 'refund_closed');
    expect(atWechat(oncepay, no)).toMatchObject({ asked: 1, backFen: 0 });
    expect((await resolve(oncepay, intervention.id, 'new_number')).status).toBe(200);
    const order = await untilRefunds(no, ['closed', 'succeeded']);
    expect(order.refunds.find(({ status }) => status === 'succeeded')).toMatchObject({
      replaces: `${no}-1`,
      amount: 100,
    });
    expect(order.amount.refunded).toBe(100);
  });

  test('an abnormal refund is sent to the user’s bank card by an operator', async () => {
    const no = await paidOrder(oncepay);
    oncepay.simulator.setRefundOutcome({ status: 'ABNORMAL', outTradeNo: no, times: 1 });
    await refund(no, { out_refund_no: `${no}-1`, amount: 100 });
    const intervention = await untilOpened(oncepay, no, 'refund_abnormal');
    const params = { bank_type: 'ICBC_DEBIT', bank_account: '6222', real_name: '张三' };
    expect((await resolveByTwo(oncepay, intervention.id, 'to_user', { params })).status).toBe(200);
    expect((await untilRefunds(no, ['succeeded'])).amount.refunded).toBe(100);
  });

  test('a refund for which the balance is too low waits and keeps its number', async () => {
    const no = await paidOrder(oncepay);
    const fault = { operation: 'refund', kind: 'error', status: 403, code: 'NOT_ENOUGH' } as const;
    oncepay.simulator.setFault({ ...fault, times: 3 });
    await refund(no, { out_refund_no: `${no}-1`, amount: 100 });
    await untilRefunds(no, ['succeeded']);
    expect(atWechat(oncepay, no)).toEqual({ asked: 1, backFen: 100, contents: 1 });
  });

  test('a refund made elsewhere that names our payment is booked as ours, once', async () => {
    const no = await paidOrder(oncepay);
    const { transaction_id: transactionId } = await oncepay.order(no);
    const external = {
      kind: 'refund',
      outTradeNo: no,
      resource: externalRefund(no, transactionId ?? '', 100),
    } as const;
    await oncepay.simulator.sendRaw(external);
    const order = await untilRefunds(no, ['succeeded']);
    expect(order).toMatchObject({
      status: 'fulfilled',
      attention: null,
      amount: { refunded: 100 },
      refunds: [{ origin: 'external', amount: 100 }],
    });
    await oncepay.simulator.sendRaw(external);
    await oncepay.untilOrder(
      no,
      'told twice',
      ({ notices }) => notices.filter(({ verdict }) => verdict === 'already_applied').length === 1,
    );
    expect((await oncepay.order(no)).amount.refunded).toBe(100);
    expect((await refund(no, { out_refund_no: `${no}-f`, amount: 201 })).status).toBe(409);
  });

  test('a refund made elsewhere is booked at once, and our failed one gives way', async () => {
    const fault = { kind: 'error', status: 403, code: 'NO_AUTH', times: 99 } as const;
    oncepay.simulator.setFault({ operation: 'refund', ...fault });
    const no = await paidOrder(oncepay);
    await refund(no, { out_refund_no: `${no}-1`, amount: 300 });
    await untilOpened(oncepay, no, 'refund_failed');
    const { transaction_id: transactionId } = await oncepay.order(no);
    await oncepay.simulator.sendRaw({
      kind: 'refund',
      outTradeNo: no,
      resource: externalRefund(no, transactionId ?? '', 300),
    });
    const order = await oncepay.untilStatus(no, 'refunded');
    expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
    const events = oncepay.webhooks.of(no).map(({ type }) => type);
    expect(events).toEqual(expect.arrayContaining(['refund.closed', 'refund.succeeded']));
  });

  test('a refund of another order’s number changes nothing and opens an intervention', async () => {
    const [one, two] = [await paidOrder(oncepay), await paidOrder(oncepay)];
    await refund(one, { out_refund_no: `${one}-1`, amount: 100 });
    await untilRefunds(one, ['succeeded']);
    const { transaction_id: transactionId } = await oncepay.order(two);
    await oncepay.simulator.sendRaw({
      kind: 'refund',
      outTradeNo: two,
      resource: { ...externalRefund(two, transactionId ?? '', 100), out_refund_no: `${one}-1` },
    });
    await untilOpened(oncepay, two, 'reconciliation');
    expect((await oncepay.order(one)).amount.refunded).toBe(100);
    expect((await oncepay.order(two)).amount.refunded).toBe(0);
  });
});

test('refunds that fail never exceed 6 a second, over all workers', async () => {
  oncepay.workers.push(await oncepay.startWorker());
  const numbers: string[] = [];
  for (let n = 0; n < 12; n += 1) numbers.push(await paidOrder(oncepay));
  const fault = { kind: 'error', status: 403, code: 'NOT_ENOUGH', times: 40 } as const;
  oncepay.simulator.setFault({ operation: 'refund', ...fault });
  await Promise.all(numbers.map((no) => refund(no, { out_refund_no: `${no}-1`, amount: 10 })));
  for (const no of numbers) await untilRefunds(no, ['succeeded'], 60_000);
  const failed = numbers
    .flatMap((no) => oncepay.simulator.requestsOf(no))
    .filter(({ operation, status }) => operation === 'refund' && status === 403)
    .map(({ at }) => Date.parse(at))
    .sort((a, b) => a - b);
  expect(failed).toHaveLength(40);
  const inOneSecond = failed.map((from) => failed.filter((at) => at >= from && at < from + 1_000));
  expect(Math.max(...inOneSecond.map(({ length }) => length))).toBeLessThanOrEqual(6);
}, 120_000);

test('a refund number that is another refund at WeChat is not taken for ours', async () => {
  const [theirs, no] = [await paidOrder(oncepay), await paidOrder(oncepay)];
  const outRefundNo = `old-${theirs}`;
  await refund(theirs, { out_refund_no: outRefundNo, amount: 100 });
  await untilRefunds(theirs, ['succeeded']);
  // As if another program had made the refund before Oncepay knew this merchant.
  await oncepay.sql.query('DELETE FROM refund_attempts WHERE out_refund_no = $1', [outRefundNo]);
  await oncepay.sql.query('DELETE FROM refunds WHERE out_refund_no = $1', [outRefundNo]);
  oncepay.simulator.setFault({ operation: 'refund', kind: 'cut', outRefundNo, times: 1 });
  await refund(no, { out_refund_no: outRefundNo, amount: 100 });
  const intervention = await untilOpened(oncepay, no, 'refund_failed');
  expect(intervention.evidence).toMatchObject({ code: 'OUT_TRADE_NO_USED' });
  expect(await oncepay.order(no)).toMatchObject({ amount: { refunded: 0 } });
  expect((await resolve(oncepay, intervention.id, 'dismiss')).status).toBe(200);
  expect(await oncepay.order(no)).toMatchObject({
    attention: null,
    refunds: [{ status: 'closed' }],
  });
});

test('money freed after a resolution’s refund goes back by the next resolution', async () => {
  const { no } = await orderOf(oncepay, { kind: 'virtual' });
  await oncepay.simulator.pay({ outTradeNo: no });
  const first = await untilOpened(oncepay, no, 'no_codes');
  oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', outRefundNo: `${no}-a`, times: 1 });
  await refund(no, { out_refund_no: `${no}-a`, amount: 180 });
  await untilRefunds(no, ['processing']);
  expect((await resolve(oncepay, first.id, 'refund')).status).toBe(200);
  await untilRefunds(no, ['processing', 'succeeded']);
  await oncepay.simulator.settleRefund({ outRefundNo: `${no}-a`, status: 'CLOSED' });
  const again = await untilOpened(oncepay, no, 'no_codes');
  expect((await resolve(oncepay, again.id, 'refund')).status).toBe(200);
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order.amount.refunded).toBe(300);
  expect(atWechat(oncepay, no)).toMatchObject({ backFen: 300 });
});

test('a key that came with a repeat by number protects later requests', async () => {
  const no = await paidOrder(oncepay);
  const key = { 'Idempotency-Key': `late-key-${no}` };
  const body = { out_refund_no: `${no}-1`, amount: 10 };
  await refund(no, body);
  expect((await refund(no, body, key)).status).toBeLessThan(300);
  const other = await refund(no, { out_refund_no: `${no}-2`, amount: 5 }, key);
  expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
});
