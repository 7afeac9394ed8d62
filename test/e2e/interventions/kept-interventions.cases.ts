// Interventions that stay open, end by themselves, or need a second key.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { queryAgain } from '../support/query-again';
import {
  resolve,
  lateOrder,
  orderOf,
  interventionsOf,
  setPolicy,
  untilResolved,
  untilOpened,
  untilRefund,
  type Intervention,
} from '../support/interventions';

/** Above the sum that one key may move alone. */
const LARGE_FEN = 200_000;
const OTHER_APP = 'wx0000000000000000';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});
afterEach(() => oncepay.simulator.clearFaults());

/** WeChat reports a refund that nobody made here. */
async function reportRefund(no: string, transactionId: string): Promise<Intervention> {
  const merchantId = oncepay.simulator.order(no)?.merchantId;
  const resource = {
    mchid: merchantId,
    out_trade_no: no,
    transaction_id: transactionId,
    out_refund_no: `theirs_${no}`,
    refund_id: '50300000000000000000000000000',
    refund_status: 'SUCCESS',
    // More than the payment: a refund that fits would be booked.
    amount: { total: 300, refund: 301, payer_total: 300, payer_refund: 301 },
  };
  await oncepay.simulator.sendRaw({ kind: 'refund', outTradeNo: no, resource });
  return untilOpened(oncepay, no, 'reconciliation');
}

/** A payment that names another app. */
function payForeign(no: string) {
  return oncepay.simulator.pay({ outTradeNo: no, appId: OTHER_APP, force: true });
}

/** Waits until WeChat has reported the order's money once more, and the run has dealt with that. */
async function untilQueriedAgain(no: string): Promise<void> {
  const queries = () =>
    oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'query').length;
  const before = queries();
  await queryAgain(oncepay, no);
  await until('WeChat is queried again', () => Promise.resolve(queries() > before || null));
  // The next attempt of the query waits once the report has been dealt with.
  await queryAgain(oncepay, no);
}

/** How many interventions were opened on a number so far. */
async function openedOf(no: string): Promise<number | null> {
  const { rowCount } = await oncepay.sql.query(
    'SELECT 1 FROM interventions WHERE out_trade_no = $1',
    [no],
  );
  return rowCount;
}

describe('a refund that resolves a reconciliation', () => {
  test('a refund moves the payment in question, not the one that paid the order', async () => {
    const no = await oncepay.newOrder();
    const good = await oncepay.simulator.pay({ outTradeNo: no });
    await oncepay.untilStatus(no, 'fulfilled');
    const { transactionId } = await payForeign(no);
    const foreign = await untilOpened(oncepay, no, 'identity_mismatch');
    expect((await resolve(oncepay, foreign.id, 'dismiss')).status).toBe(200);
    const { id } = await reportRefund(no, transactionId ?? '');
    expect((await resolve(oncepay, id, 'refund')).status).toBe(200);
    await untilRefund(oncepay, no, 'succeeded');
    expect(oncepay.simulator.refundsOf(no)).toMatchObject([{ transactionId, refundFen: 300 }]);
    expect(await oncepay.order(no)).toMatchObject({
      status: 'fulfilled',
      transaction_id: good.transactionId,
      amount: { refunded: 0 },
      attention: null,
    });
  });

  test('a refund of an unknown payment gets 409, and the intervention stays open', async () => {
    const no = await oncepay.newOrder();
    await oncepay.simulator.pay({ outTradeNo: no });
    await oncepay.untilStatus(no, 'fulfilled');
    const { id } = await reportRefund(no, '4200000000202611250000000000');
    expect(await resolve(oncepay, id, 'refund')).toMatchObject({
      status: 409,
      body: { code: 'NOTHING_TO_REFUND' },
    });
    expect(await interventionsOf(oncepay, no)).toMatchObject([
      { id, status: 'open', pending: null },
    ]);
    expect(await oncepay.order(no)).toMatchObject({ status: 'fulfilled', refunds: [] });
  });
});

test('a mismatch on a closed order refuses retry and stays until its refund', async () => {
  const no = await oncepay.newOrder();
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed');
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 299, force: true });
  const { id } = await untilOpened(oncepay, no, 'amount_mismatch');
  expect(await resolve(oncepay, id, 'retry')).toMatchObject({
    status: 409,
    body: { code: 'ORDER_NOT_PAYABLE' },
  });
  expect(await interventionsOf(oncepay, no)).toMatchObject([{ id, status: 'open', pending: null }]);
  expect((await resolve(oncepay, id, 'refund')).status).toBe(200);
  const order = await untilRefund(oncepay, no, 'succeeded');
  expect(order).toMatchObject({ status: 'closed', attention: null });
});

test.each([
  ['appid', { appId: OTHER_APP }],
  ['mchid', { merchantId: '1900000000' }],
])(
  'another %s, dismissed and found again by a query, opens nothing more',
  async (_what, payment) => {
    const no = await oncepay.newOrder();
    const { transactionId } = await oncepay.simulator.pay({ outTradeNo: no, ...payment });
    const { id, evidence, subject } = await untilOpened(oncepay, no, 'identity_mismatch');
    expect(evidence).toMatchObject({ source: 'callback' });
    expect(subject).toBe(transactionId);
    expect(await resolve(oncepay, id, 'accept')).toMatchObject({
      status: 409,
      body: { code: 'ACTION_NOT_ALLOWED' },
    });
    expect((await resolve(oncepay, id, 'dismiss')).status).toBe(200);
    await untilQueriedAgain(no);
    expect(await openedOf(no)).toBe(1);
    expect((await oncepay.order(no)).status).toBe('awaiting_payment');
  },
);

test('two keys count the sum paid, not the order’s, when an effect fails', async () => {
  const { no } = await orderOf(oncepay, { kind: 'virtual' });
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: LARGE_FEN });
  const mismatch = await untilOpened(oncepay, no, 'amount_mismatch');
  expect((await resolve(oncepay, mismatch.id, 'accept')).status).toBe(202);
  expect((await resolve(oncepay, mismatch.id, 'accept', { as: 'admin' })).status).toBe(200);
  const question = await untilOpened(oncepay, no, 'no_codes');
  expect(question.amount).toBe(LARGE_FEN);
  expect((await resolve(oncepay, question.id, 'refund')).body).toMatchObject({
    resolution: { status: 'proposed' },
  });
  expect(oncepay.simulator.refundsOf(no)).toEqual([]);
  expect((await resolve(oncepay, question.id, 'refund', { as: 'admin' })).status).toBe(200);
  await oncepay.untilStatus(no, 'refunded');
  expect(oncepay.simulator.refundsOf(no)).toMatchObject([{ refundFen: LARGE_FEN }]);
});

test('a failed refund’s intervention ends when WeChat reports that it succeeded', async () => {
  // WeChat makes the refund, but neither its response nor the query says so.
  const { simulator } = oncepay;
  simulator.setFault({ operation: 'refund', kind: 'cut_after', times: 1 });
  const noAuth = { kind: 'error', status: 403, code: 'NO_AUTH' } as const;
  simulator.setFault({ operation: 'refund_query', ...noAuth, times: 1 });
  simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
  const no = await lateOrder(oncepay);
  const { id, subject } = await untilOpened(oncepay, no, 'refund_failed');
  await simulator.settleRefund({ outRefundNo: subject, status: 'SUCCESS' });
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
  await untilResolved(oncepay, id);
  expect(await resolve(oncepay, id, 'retry')).toMatchObject({
    status: 409,
    body: { code: 'INTERVENTION_RESOLVED', resolution: 'moot' },
  });
});

test('a failed refund’s intervention turns abnormal when WeChat reports that', async () => {
  const { simulator } = oncepay;
  simulator.setFault({ operation: 'refund', kind: 'cut_after', times: 1 });
  const noAuth = { kind: 'error', status: 403, code: 'NO_AUTH' } as const;
  simulator.setFault({ operation: 'refund_query', ...noAuth, times: 1 });
  simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
  const no = await lateOrder(oncepay);
  const { id, subject } = await untilOpened(oncepay, no, 'refund_failed');
  await simulator.settleRefund({ outRefundNo: subject, status: 'ABNORMAL' });
  await untilOpened(oncepay, no, 'refund_abnormal');
  await untilResolved(oncepay, id);
  expect(await interventionsOf(oncepay, no)).toMatchObject([{ reason: 'refund_abnormal' }]);
});

test('a failed refund shows WeChat’s response; one that may exist can’t be dismissed', async () => {
  const { simulator } = oncepay;
  const noAuth = { kind: 'error', status: 403, code: 'NO_AUTH' } as const;
  /** The part of the evidence about WeChat's response to the last call of this kind. */
  const word = (subject: string, operation: string, code = 'NO_AUTH') => {
    const calls = simulator.requestsOf(subject).filter((call) => call.operation === operation);
    const { requestId, status } = calls.at(-1) ?? {};
    expect(requestId).toMatch(/^\S+$/);
    return { request_id: requestId, wechat_code: code, status };
  };
  await setPolicy(oncepay, 'wechat.refund', { base_delay_ms: 50, max_attempts: 2 });
  simulator.setFault({ operation: 'refund', ...noAuth, times: 1 });
  const refused = await untilOpened(oncepay, await lateOrder(oncepay), 'refund_failed');
  expect(refused.evidence).toMatchObject(word(refused.subject, 'refund'));
  expect((await resolve(oncepay, refused.id, 'dismiss')).status).toBe(200);

  const away = { kind: 'error', status: 500, code: 'SYSTEM_ERROR' } as const;
  simulator.setFault({ operation: 'refund', ...away, times: 99 });
  const failed = await untilOpened(oncepay, await lateOrder(oncepay), 'refund_failed');
  expect(failed.evidence).toMatchObject(word(failed.subject, 'refund', away.code));
  simulator.clearFaults();

  simulator.setFault({ operation: 'refund', kind: 'cut_after', times: 1 });
  simulator.setFault({ operation: 'refund_query', ...noAuth, times: 1 });
  simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
  const no = await lateOrder(oncepay);
  const { id, subject, evidence } = await untilOpened(oncepay, no, 'refund_failed');
  expect(evidence).toMatchObject(word(subject, 'refund_query'));
  expect(await resolve(oncepay, id, 'dismiss')).toMatchObject({
    status: 409,
    body: { code: 'REFUND_RESERVED' },
  });
  expect(await interventionsOf(oncepay, no)).toMatchObject([{ id, status: 'open', pending: null }]);
  await simulator.settleRefund({ outRefundNo: subject, status: 'SUCCESS' });
  await oncepay.untilStatus(no, 'refunded');
  expect(simulator.refundsOf(no)).toHaveLength(1);
});

describe('accept of a payment that does not match', () => {
  test('accept is refused once another payment has paid the order', async () => {
    const no = await oncepay.newOrder();
    await oncepay.simulator.pay({ outTradeNo: no, totalFen: 299 });
    const { id } = await untilOpened(oncepay, no, 'amount_mismatch');
    const good = await oncepay.simulator.pay({ outTradeNo: no, force: true });
    await oncepay.untilStatus(no, 'fulfilled');
    expect(await resolve(oncepay, id, 'accept')).toMatchObject({
      status: 409,
      body: { code: 'ORDER_ALREADY_PAID' },
    });
    expect(await interventionsOf(oncepay, no)).toMatchObject([
      { id, status: 'open', pending: null },
    ]);
    expect((await oncepay.order(no)).transaction_id).toBe(good.transactionId);
  });

  test('accept on a closed order needs its stock again, and then goes on with it', async () => {
    const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 2 });
    const close = async (one: string) => {
      await oncepay.call('POST', `/v1/orders/${one}/close`);
      await oncepay.untilStatus(one, 'closed');
    };
    await close(no);
    const { transactionId } = await oncepay.simulator.pay({
      outTradeNo: no,
      totalFen: 299,
      force: true,
    });
    const { id } = await untilOpened(oncepay, no, 'amount_mismatch');
    const other = await oncepay.newOrder({ items: [{ sku, quantity: 2, unit_price: 150 }] });
    expect(await resolve(oncepay, id, 'accept')).toMatchObject({
      status: 409,
      body: { code: 'OUT_OF_STOCK' },
    });
    expect(await oncepay.order(no)).toMatchObject({
      status: 'closed',
      effects: [],
      transactions: [{ status: 'rejected' }],
    });
    await close(other);
    expect((await resolve(oncepay, id, 'accept')).status).toBe(200);
    const order = await oncepay.untilStatus(no, 'fulfilled');
    expect(order).toMatchObject({ transaction_id: transactionId, attention: null, refunds: [] });
    const { body } = await oncepay.call('GET', `/v1/products/${sku}`);
    expect(body).toMatchObject({ stock: 0, reserved: 0, sold: 2 });
  });
});

test.each([
  ['new_number', 'CLOSED', 'refund_closed'],
  ['to_bank_card', 'ABNORMAL', 'refund_abnormal'],
] as const)(
  'above the limit %s needs a second key, and twice the first key is one',
  async (action, status, reason) => {
    const { simulator } = oncepay;
    simulator.setRefundOutcome({ status, times: 1 });
    const items = [{ sku: 'ring', quantity: 1, unit_price: LARGE_FEN }];
    const no = await oncepay.newOrder({ items, amount: { total: LARGE_FEN, currency: 'CNY' } });
    await oncepay.call('POST', `/v1/orders/${no}/close`);
    await oncepay.untilStatus(no, 'closed');
    await simulator.pay({ outTradeNo: no, force: true });
    const { id, amount } = await untilOpened(oncepay, no, reason);
    expect(amount).toBe(LARGE_FEN);
    for (let click = 0; click < 2; click += 1) {
      expect(await resolve(oncepay, id, action)).toMatchObject({
        status: 202,
        body: { resolution: { status: 'proposed', proposed_by: 'operator', approved_by: null } },
      });
    }
    expect(simulator.refundsOf(no)).toMatchObject([{ status, sentTo: null }]);
    expect(await resolve(oncepay, id, action, { as: 'admin' })).toMatchObject({
      status: 200,
      body: { resolution: { status: 'done', proposed_by: 'operator', approved_by: 'admin' } },
    });
    await oncepay.untilStatus(no, 'refunded');
    const back = simulator.refundsOf(no).filter((refund) => refund.status === 'SUCCESS');
    expect(back).toMatchObject([{ refundFen: LARGE_FEN }]);
  },
);

test('an order whose foreign money was dismissed is closed in the books', async () => {
  const no = await oncepay.newOrder();
  await payForeign(no);
  const foreign = await untilOpened(oncepay, no, 'identity_mismatch');
  expect((await resolve(oncepay, foreign.id, 'dismiss')).status).toBe(200);
  await untilQueriedAgain(no);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const order = await oncepay.untilStatus(no, 'closed');
  expect(order).toMatchObject({ attention: null, effects: [] });
  expect(await openedOf(no)).toBe(1);
  // WeChat takes no close of an order that is paid there.
  expect(oncepay.simulator.requestsOf(no).map(({ operation }) => operation)).not.toContain('close');
});
