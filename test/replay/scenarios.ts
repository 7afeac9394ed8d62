// The scenarios that are recorded for each version.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { z } from 'zod';
import { SEARCH_ATTRIBUTES } from '../../domain/temporal/task-queues';
import { orderBody, someUser, type OrderView, type TestOncepay } from '../support/oncepay';
import { ifThere } from '../support/if-there';
import { until } from '../support/until';
import * as badDays from './bad-days';
import * as moneyShared from './money-shared';
import { ended, latestRun, type PlayedRun } from './played-run';

export interface Scenario {
  /** Names the recording; never changed once a version with it is released. */
  readonly name: string;
  /** Waits for a time Oncepay keeps to, so that it takes more than some seconds. */
  readonly slow: boolean;
  /** @throws when the scenario went another way than its name says */
  readonly play: (oncepay: TestOncepay) => Promise<PlayedRun>;
}

/** The settings of the scenarios: a short window for the order that expires, and quick queries. */
export const SCENARIO_ENV = {
  ONCEPAY_PAYMENT_WINDOW: '4s',
  ONCEPAY_QUERY_SCHEDULE: '3s',
  ONCEPAY_SHARING_DELAY: '0s',
} as const;

const numberSchema = z.object({ out_trade_no: z.string().optional() });
const ATTENTION = defineSearchAttributeKey(
  SEARCH_ATTRIBUTES.attention,
  SearchAttributeType.KEYWORD,
);
/** For orders that must not expire while they are played. */
const LONG = { expires_in_seconds: 3600 };
/** Longer than a close comes after the order. */
const TOO_EARLY_MS = 5_000;
/** A run that was terminated is found by the sweep; a refused close is tried again after 15 s. */
const RECOVERY_MS = 60_000;

const scenario = (name: string, play: Scenario['play'], slow = false): Scenario => ({
  name,
  slow,
  play,
});

/** Each scenario that runs a workflow (S17). */
export const SCENARIOS: readonly Scenario[] = [
  scenario('paid-by-callback', paidByCallback),
  scenario('paid-while-created', paidWhileCreated),
  scenario('same-payment-under-many-ids', samePaymentUnderManyIds),
  scenario('paid-found-by-query', paidFoundByQuery),
  scenario('wrong-amount', wrongAmount),
  scenario('unknown-order', unknownOrder),
  scenario('second-payment', secondPayment),
  scenario('due-with-nothing-left', dueWithNothingLeft),
  scenario('late-payment', latePayment),
  scenario('expired', expired, true),
  scenario('closed-by-request', closedByRequest),
  scenario('close-too-early', closeTooEarly, true),
  scenario('prepay-refused-content', prepayRefusedContent),
  scenario('prepay-refused-permission', prepayRefusedPermission),
  scenario('prepay-unknown-then-accepted', prepayUnknownThenAccepted),
  scenario('prepay-second-round', prepaySecondRound),
  scenario('effects-stuck', effectsStuck),
  scenario('effect-failing-then-done', effectFailingThenDone),
  scenario('webhook-failing-then-taken', webhookFailingThenTaken),
  scenario('started-by-the-sweep', startedByTheSweep, true),
  scenario('refund-succeeded', badDays.refundSucceeded),
  scenario('refund-takes-back', badDays.refundTakesBack),
  scenario('refund-told-by-callback', badDays.refundToldByCallback),
  scenario('refund-given-up', badDays.refundGivenUp),
  scenario('effect-retried', badDays.effectRetried),
  scenario('prepay-retried', badDays.prepayRetried),
  scenario('webhook-given-up', badDays.webhookGivenUp, true),
  scenario('proposed-by-hand', badDays.proposedByHand),
  scenario('unknown-refunded', badDays.unknownRefunded),
  scenario('patrolled', badDays.patrolled),
  scenario('sharing-finished', moneyShared.sharingFinished),
  scenario('sharing-told-by-callback', moneyShared.sharingToldByCallback),
  scenario('sharing-given-up', moneyShared.sharingGivenUp),
  scenario('rest-unfrozen', moneyShared.restUnfrozen),
  scenario('shared-refunded', moneyShared.sharedRefunded, true),
  scenario('reconciled', badDays.reconciled),
];

async function endedLatest(oncepay: TestOncepay, outTradeNo: string): Promise<PlayedRun> {
  return ended(oncepay, await latestRun(oncepay, outTradeNo));
}

/**
 * A run with a question open: it has seen the question once it shows it in its search attribute.
 */
async function waiting(oncepay: TestOncepay, no: string, reason: string): Promise<PlayedRun> {
  await until(`${no} waits for a person: ${reason}`, async () => {
    const seen = await oncepay.temporal.workflow.getHandle(no).describe();
    const shown = seen.typedSearchAttributes.get(ATTENTION);
    return seen.status.name === 'RUNNING' && shown === reason ? true : null;
  });
  return latestRun(oncepay, no);
}

function expectCause(order: OrderView, cause: string): void {
  const causes = order.history.map((step) => step.cause);
  if (!causes.includes(cause)) throw new Error(`${causes.join(', ')}: without ${cause}`);
}

async function expectAnswer(
  answer: ReturnType<TestOncepay['call']>,
  expected: number,
): Promise<string> {
  const { status, body } = await answer;
  if (status !== expected) throw new Error(`${status} ${JSON.stringify(body)}`);
  return numberSchema.parse(body).out_trade_no ?? '';
}

async function paidByCallback(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no });
  expectCause(await oncepay.untilStatus(no, 'fulfilled'), 'payment_notice');
  return endedLatest(oncepay, no);
}

async function paidWhileCreated(oncepay: TestOncepay): Promise<PlayedRun> {
  const body = orderBody(LONG);
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'cut_after', times: 3 });
  const creation = oncepay.call('POST', '/v1/orders', { body });
  const no = await until('the order may be known at WeChat', async () => {
    const { rows } = await oncepay.sql.query<{ no: string }>(
      `SELECT o.out_trade_no AS no FROM orders o JOIN provider_attempts a USING (out_trade_no)
       WHERE o.status = 'created' AND o.user_id = $1 AND a.outcome = 'unknown'`,
      [body['user_id']],
    );
    return rows[0]?.no;
  });
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  const states = order.history.map(({ to }) => to).join(' ');
  if (states !== 'created paid fulfilled') throw new Error(states);
  await creation;
  return endedLatest(oncepay, no);
}

async function samePaymentUnderManyIds(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  const run = await latestRun(oncepay, no);
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await oncepay.simulator.notify({ outTradeNo: no, count: 5, concurrent: true, newId: true });
  await oncepay.untilOrder(
    no,
    'each id has its verdict',
    ({ notices }) => notices.length === 5 && notices.every(({ verdict }) => verdict !== null),
  );
  return ended(oncepay, run);
}

async function paidFoundByQuery(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  expectCause(await oncepay.untilStatus(no, 'fulfilled'), 'payment_found_by_query');
  return endedLatest(oncepay, no);
}

async function wrongAmount(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 299 });
  return waiting(oncepay, no, 'amount_mismatch');
}

async function unknownOrder(oncepay: TestOncepay): Promise<PlayedRun> {
  const { notifyUrl } = oncepay;
  const no = `SHOP${process.pid}X1`;
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 500, force: true, notifyUrl });
  const run = await until('its run is there', () => ifThere(latestRun(oncepay, no)));
  return ended(oncepay, run);
}

/** The run that hears of a second payment sends it back, and ends when the shop has heard. */
async function secondPayment(oncepay: TestOncepay): Promise<PlayedRun> {
  const { workflowId: no } = await paidByCallback(oncepay);
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  return refundedOnce(oncepay, no);
}

async function refundedOnce(oncepay: TestOncepay, no: string): Promise<PlayedRun> {
  await oncepay.untilOrder(
    no,
    'its refund is done and told',
    ({ refunds, deliveries }) =>
      refunds.every(({ status }) => status === 'succeeded') &&
      deliveries.some(({ event, status }) => event === 'refund.succeeded' && status === 'done'),
    RECOVERY_MS,
  );
  return endedLatest(oncepay, no);
}

/**
 * The row of a fulfilled order says that something is due; the next run finds nothing and notes it.
 */
async function dueWithNothingLeft(oncepay: TestOncepay): Promise<PlayedRun> {
  const { workflowId: no } = await paidByCallback(oncepay);
  const later = "UPDATE orders SET due_at = now() + interval '1 hour' WHERE out_trade_no = $1";
  await oncepay.sql.query(later, [no]);
  await oncepay.simulator.notify({ outTradeNo: no, newId: true });
  await until('nothing is due any more', async () => {
    const due = 'SELECT 1 FROM orders WHERE out_trade_no = $1 AND due_at IS NOT NULL';
    const { rowCount } = await oncepay.sql.query(due, [no]);
    return rowCount === 0 ? true : null;
  });
  return endedLatest(oncepay, no);
}

async function latePayment(oncepay: TestOncepay): Promise<PlayedRun> {
  const { workflowId: no } = await closedByRequest(oncepay);
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
  return refundedOnce(oncepay, no);
}

async function expired(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder();
  expectCause(await oncepay.untilStatus(no, 'closed', RECOVERY_MS), 'expired');
  return endedLatest(oncepay, no);
}

async function closedByRequest(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await expectAnswer(oncepay.call('POST', `/v1/orders/${no}/close`), 200);
  expectCause(await oncepay.untilStatus(no, 'closed'), 'close_requested');
  return endedLatest(oncepay, no);
}

async function closeTooEarly(oncepay: TestOncepay): Promise<PlayedRun> {
  oncepay.simulator.setRefuseCloseWithin(TOO_EARLY_MS);
  const no = await oncepay.newOrder(LONG);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed', RECOVERY_MS);
  oncepay.simulator.setRefuseCloseWithin(0);
  const closes = oncepay.simulator.requestsOf(no).filter((sent) => sent.operation === 'close');
  if (closes.length < 2) throw new Error('the first close was not refused');
  return endedLatest(oncepay, no);
}

/** WeChat refuses the prepay of an order. @returns its number */
async function refused(oncepay: TestOncepay, status: number, code: string): Promise<string> {
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'error', status, code, message: 'no' });
  return expectAnswer(oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) }), 502);
}

async function prepayRefusedContent(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await refused(oncepay, 400, 'PARAM_ERROR');
  await oncepay.untilStatus(no, 'closed');
  return endedLatest(oncepay, no);
}

async function prepayRefusedPermission(oncepay: TestOncepay): Promise<PlayedRun> {
  return waiting(oncepay, await refused(oncepay, 403, 'NO_AUTH'), 'wechat_failed');
}

async function prepayUnknownThenAccepted(oncepay: TestOncepay): Promise<PlayedRun> {
  oncepay.simulator.setFault({ operation: 'prepay', kind: 'cut_after' });
  return paidByCallback(oncepay);
}

async function prepaySecondRound(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  const dies = 'UPDATE orders SET prepay_expires_at = now() WHERE out_trade_no = $1';
  await oncepay.sql.query(dies, [no]);
  await expectAnswer(oncepay.call('POST', `/v1/orders/${no}/payment`), 200);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const prepays = oncepay.simulator.requestsOf(no).filter((sent) => sent.operation === 'prepay');
  if (prepays.length !== 2) throw new Error(`${prepays.length} prepays`);
  return endedLatest(oncepay, no);
}

async function effectsStuck(oncepay: TestOncepay): Promise<PlayedRun> {
  const sku = `game-${someUser()}`;
  const product = { name: 'Game', kind: 'virtual' };
  await expectAnswer(oncepay.call('PUT', `/v1/products/${sku}`, { body: product }), 200);
  const items = [{ sku, quantity: 1, unit_price: 300 }];
  const no = await oncepay.newOrder({ ...LONG, items });
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'paid');
  return waiting(oncepay, no, 'no_codes');
}

/** The database refuses the points of this order for a while. */
async function effectFailingThenDone(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.sql.query(
    `ALTER TABLE points_entries ADD CONSTRAINT refuse CHECK (out_trade_no <> '${no}') NOT VALID`,
  );
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilOrder(no, 'an effect has failed', ({ effects }) =>
    effects.some(({ error }) => error !== null),
  );
  await oncepay.sql.query('ALTER TABLE points_entries DROP CONSTRAINT refuse');
  await oncepay.untilStatus(no, 'fulfilled');
  return endedLatest(oncepay, no);
}

async function webhookFailingThenTaken(oncepay: TestOncepay): Promise<PlayedRun> {
  oncepay.webhooks.failNext(1);
  const run = await paidByCallback(oncepay);
  const { deliveries } = await oncepay.order(run.workflowId);
  const attempts = deliveries.map((delivery) => delivery.attempts);
  if (!attempts.some((count) => count > 1)) throw new Error('no webhook was sent again');
  return run;
}

async function startedByTheSweep(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
  return endedLatest(oncepay, no);
}
