// Temporal loses all its data: every order goes on from the database.
import { Client } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { countEffects, orderBody, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { ifThere } from '../../support/if-there';
import { until } from '../../support/until';
import { resolve, lateOrder, orderOf, untilOpened, untilRefund } from '../support/interventions';
import {
  FIRST,
  makeReceiversKnown,
  receiver,
  sharableOrder,
  shared,
  untilSharing,
} from '../support/sharing';

/** Open work goes on within 60 s of being due; the rest is for a busy machine. */
const RECOVERY_MS = 120_000;
/** A search attribute that the server has only because a worker made it. */
const NAMESPACE = 'shop';
const ONCE = { applied: 1, points: 3, pointsEntries: 1, paidSteps: 1 };
const LONG = { expires_in_seconds: 3_600 };

jest.setTimeout(300_000);

let oncepay: TestOncepay;
let temporal: Client;
/** The orders, by the work that was open when the data was lost. */
let orders: Awaited<ReturnType<typeof loseTemporal>>;

beforeAll(async () => {
  oncepay = await startTestOncepay({
    ownTemporal: { persistent: false },
    env: {
      TEMPORAL_NAMESPACE: NAMESPACE,
      ONCEPAY_QUERY_SCHEDULE: '3s',
      ONCEPAY_REFUND_SPACING: '0s',
      ONCEPAY_SHARING_DELAY: '0s',
      ONCEPAY_PAYMENT_WINDOW: '30s',
      ONCEPAY_PATROL_INTERVAL: '47m',
    },
  });
  temporal = new Client({ connection: oncepay.temporal.connection, namespace: NAMESPACE });
  orders = await loseTemporal();
});
afterAll(() => oncepay.stop());

/**
 * Brings one order into each state, deletes all of Temporal's data, and reports some payments
 * meanwhile.
 */
async function loseTemporal() {
  const { simulator, stack } = oncepay;
  const payments = await openPayments();
  const refunds = await openRefunds();
  const sharings = await openSharings();
  const expiring = await oncepay.newOrder();
  const { no: asked, sku } = await orderOf(oncepay, { kind: 'virtual' });
  await simulator.pay({ outTradeNo: asked });
  const { id } = await untilOpened(oncepay, asked, 'no_codes');
  simulator.setFault({ operation: 'prepay', kind: 'error', status: 500, times: 10_000 });
  const noPrepay = await createdOrder();

  await stack.stopTemporal('SIGKILL');
  const neverStarted = await createdOrder();
  const closeUntold = payments.closeUntold;
  expect((await oncepay.call('POST', `/v1/orders/${closeUntold}/close`)).status).toBe(202);
  await simulator.pay({ outTradeNo: payments.lostCallback, callbacks: 0 });
  const { callback } = await simulator.pay({ outTradeNo: payments.told, callbacks: 3 });
  expect(callback?.status).toBe(204);
  for (const no of [refunds.late, refunds.surplus]) {
    const outRefundNo = simulator.refundsOf(no)[0]?.outRefundNo ?? '';
    await simulator.settleRefund({ outRefundNo, status: 'SUCCESS', callbacks: 0 });
  }
  await simulator.settleSharing({
    outOrderNo: sharings.sharing.outOrderNo,
    account: FIRST,
    result: 'SUCCESS',
    callbacks: 0,
  });
  const codes = [`${sku}-1`, `${sku}-2`];
  await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  expect((await resolve(oncepay, id, 'retry')).status).toBe(202);
  simulator.clearFaults();
  await stack.startTemporal();
  return { ...payments, ...refunds, ...sharings, expiring, asked, noPrepay, neverStarted };
}

/** Orders that wait for their payment, or for a close that WeChat doesn't accept yet. */
async function openPayments() {
  const [unpaid, lostCallback, told, done, closing, closeUntold] = [
    await oncepay.newOrder(LONG),
    await oncepay.newOrder(LONG),
    await oncepay.newOrder(LONG),
    await oncepay.newOrder(LONG),
    await oncepay.newOrder(LONG),
    await oncepay.newOrder(LONG),
  ];
  await oncepay.simulator.pay({ outTradeNo: done });
  await oncepay.untilStatus(done, 'fulfilled');
  oncepay.simulator.setFault({
    operation: 'close',
    kind: 'error',
    status: 500,
    times: 10_000,
    outTradeNo: closing,
  });
  void oncepay.call('POST', `/v1/orders/${closing}/close`);
  await untilSent(closing, 'close');
  return { unpaid, lostCallback, told, done, closing, closeUntold };
}

/**
 * Orders with a refund under way: two that WeChat works on, one of which it is unknown whether
 * WeChat has it.
 */
async function openRefunds() {
  const { simulator } = oncepay;
  simulator.setRefundOutcome({ status: 'PROCESSING', times: 2 });
  const late = await lateOrder(oncepay);
  await untilRefund(oncepay, late, 'processing');
  const surplus = await paidTwice();
  await untilRefund(oncepay, surplus, 'processing');
  simulator.setFault({ operation: 'refund', kind: 'cut_after' });
  simulator.setFault({ operation: 'refund_query', kind: 'cut', times: 10_000 });
  simulator.setRefundOutcome({ status: 'SUCCESS', callbacks: 0, times: 1 });
  const unknown = await paidTwice();
  await untilSent(unknown, 'refund_query');
  return { late, surplus, unknown };
}

/**
 * A sharing that WeChat works on, and an unfreezing of which it is unknown whether WeChat has it.
 */
async function openSharings() {
  const { simulator } = oncepay;
  simulator.setSharingRules({ shareableAfterMs: 0 });
  await makeReceiversKnown(oncepay);
  const [one, other] = [await sharableOrder(oncepay), await sharableOrder(oncepay)];
  simulator.setSharingOutcome({ result: 'PENDING', outTradeNo: one, times: 1 });
  const sharing = { no: one, outOrderNo: await shared(oncepay, one, [receiver(40)]) };
  await untilSharing(oncepay, one, sharing.outOrderNo, 'processing');
  simulator.setFault({ operation: 'unfreeze', kind: 'cut', times: 10_000, outTradeNo: other });
  const more = { unfreeze_rest: true };
  const unfreeze = { no: other, outOrderNo: await shared(oncepay, other, [], more) };
  await untilSent(other, 'unfreeze');
  return { sharing, unfreeze };
}

async function paidTwice(): Promise<string> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  return no;
}

/** An order without a prepay. */
async function createdOrder(): Promise<string> {
  const { body } = await oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
  expect(body).toMatchObject({ status: 'created', payment: null });
  return (body as { out_trade_no: string }).out_trade_no;
}

const untilSent = (no: string, operation: string) =>
  until(`${operation} of ${no} is sent`, () =>
    Promise.resolve(
      oncepay.simulator.requestsOf(no).some((request) => request.operation === operation) || null,
    ),
  );

test.each(['told', 'lostCallback', 'asked'] as const)(
  'an order that was paid is fulfilled once after Temporal lost its data: %s',
  async (which) => {
    const no = orders[which];
    const { attention } = await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
    expect(attention).toBeNull();
    expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
  },
);

test.each(['unpaid', 'noPrepay', 'neverStarted'] as const)(
  'an order that was not paid yet can still be paid after Temporal lost its data: %s',
  async (which) => {
    const no = orders[which];
    await oncepay.untilStatus(no, 'awaiting_payment', RECOVERY_MS);
    await oncepay.simulator.pay({ outTradeNo: no });
    await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
    expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
  },
);

test.each([
  ['closing', 'close_requested'],
  ['closeUntold', 'close_requested'],
  ['expiring', 'expired'],
] as const)(
  'an unpaid order is closed here and at WeChat after Temporal lost its data: %s',
  async (which, cause) => {
    const no = orders[which];
    const { history } = await oncepay.untilStatus(no, 'closed', RECOVERY_MS);
    expect(history.at(-1)?.cause).toBe(cause);
    expect(oncepay.simulator.order(no)).toMatchObject({ tradeState: 'CLOSED', closes: 1 });
  },
);

test.each([
  ['late', 'refunded', 300],
  ['surplus', 'fulfilled', 0],
  ['unknown', 'fulfilled', 0],
] as const)(
  'money that was being refunded is refunded once after Temporal lost its data: %s',
  async (which, status, refunded) => {
    const no = orders[which];
    await oncepay.untilOrder(
      no,
      `the refund of ${no} is known`,
      ({ refunds }) => refunds[0]?.status === 'succeeded',
      RECOVERY_MS,
    );
    const order = await oncepay.untilStatus(no, status);
    expect(order).toMatchObject({ amount: { refunded }, attention: null });
    expect(oncepay.simulator.refundsOf(no)).toMatchObject([{ status: 'SUCCESS', refundFen: 300 }]);
  },
);

test.each([
  ['sharing', { sharedFen: 40, frozenFen: 260, unfrozenFen: 0 }],
  ['unfreeze', { sharedFen: 0, frozenFen: 0, unfrozenFen: 300 }],
] as const)(
  'money that was being shared or unfrozen is, once, after Temporal lost its data: %s',
  async (which, balance) => {
    const { no, outOrderNo } = orders[which];
    await untilSharing(oncepay, no, outOrderNo, 'finished', RECOVERY_MS);
    expect(oncepay.simulator.balanceOf(no)).toMatchObject(balance);
    expect(oncepay.simulator.sharingsOf(no).map((one) => one.outOrderNo)).toEqual([outOrderNo]);
    expect(oncepay.simulator.contentsOf('sharings')[outOrderNo]).toBe(1);
    expect((await oncepay.order(no)).attention).toBeNull();
  },
);

test('an order that was done stays as it was, and nothing else is refunded', async () => {
  const { status, refunds } = await oncepay.order(orders.done);
  expect([status, refunds]).toEqual(['fulfilled', []]);
  expect(await countEffects(oncepay.sql, orders.done)).toEqual(ONCE);
  expect(oncepay.simulator.refundsOf()).toHaveLength(3);
});

test('namespace, settings, search attributes and schedule are created again', async () => {
  const { config } = await temporal.workflowService.describeNamespace({ namespace: NAMESPACE });
  expect(tsToMs(config?.workflowExecutionRetentionTtl)).toBe(30 * 24 * 3_600_000);
  const waiting = await oncepay.newOrder(LONG);
  await until('a run is found by its status', async () => {
    const query = `OncepayStatus = "awaiting_payment" AND WorkflowId = "${waiting}"`;
    return (await temporal.workflow.count(query)).count === 1 ? true : null;
  });
  const { customAttributes } = await temporal.connection.operatorService.listSearchAttributes({
    namespace: NAMESPACE,
  });
  expect(Object.keys(customAttributes)).toEqual(
    expect.arrayContaining(['OncepayStatus', 'OncepayAttention']),
  );
  const schedule = temporal.schedule.getHandle('oncepay-patrol');
  const { spec, policies } = await until(
    'the patrol has its schedule again',
    () => ifThere(schedule.describe()),
    RECOVERY_MS,
  );
  expect([spec.intervals?.[0]?.every, policies.overlap]).toEqual([47 * 60_000, 'SKIP']);
  // One at the worker's start, and one after the loss.
  const log = (await oncepay.workers[0]?.output()) ?? '';
  for (const made of ['namespace.registered', 'search_attributes.registered']) {
    expect(log.split(`"msg":"${made}"`)).toHaveLength(3);
  }
});
