// A worker dies while WeChat has its requests, and while a refund is held: the next one goes on.
import type { OrderView, TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { lateOrder, resolveByTwo, untilOpened } from '../support/interventions';
import { atWechat } from '../support/refunds';
import { receiver, sharableOrder, shared, untilSharing } from '../support/sharing';

/** Temporal notices a dead worker after 45 s; the rest is for a busy machine. */
const RECOVERY_MS = 90_000;

let oncepay: TestOncepay;
/** The numbers of the order whose money was on its way when the worker died, one of each kind. */
let orders: Readonly<Record<'held' | 'sent' | 'redirected' | 'split', string>>;
let outOrderNo: string;

beforeAll(async () => {
  oncepay = sharedOncepay();
  const { simulator } = oncepay;
  simulator.setRefundOutcome({ status: 'ABNORMAL', times: 1 });
  const redirected = await lateOrder(oncepay);
  const question = await untilOpened(oncepay, redirected, 'refund_abnormal');
  const split = await sharableOrder(oncepay);
  const held = await oncepay.newOrder();
  await oncepay.call('POST', `/v1/orders/${held}/close`);
  await oncepay.untilStatus(held, 'closed');
  // WeChat does each of these, and its response never comes.
  for (const operation of ['refund', 'abnormal_refund', 'share'] as const) {
    simulator.setFault({ operation, kind: 'timeout_after', times: 1 });
  }
  simulator.setRefundOutcome({ status: 'PROCESSING', times: 2 });
  const sent = await lateOrder(oncepay);
  expect((await resolveByTwo(oncepay, question.id, 'to_bank_card')).status).toBe(200);
  outOrderNo = await shared(oncepay, split, [receiver(40)]);
  await until('WeChat has all three', () => {
    const statuses = [sent, redirected].map((no) => simulator.refundsOf(no)[0]?.status);
    const has = statuses.every((status) => status === 'PROCESSING');
    return Promise.resolve(has && simulator.sharingsOf(split).length === 1 ? true : null);
  });
  orders = { held, sent, redirected, split };
  await killWhileHeld(held);
}, RECOVERY_MS);
afterAll(() => oncepay.simulator.clearFaults());

/** Pays a closed order, and kills the worker between holding and sending its refund. */
async function killWhileHeld(no: string): Promise<void> {
  // Each attempt takes a token first: while nobody gets one, the refund is held and not sent.
  const holder = await oncepay.sql.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT 1 FROM rate_limits FOR UPDATE');
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  await until('the refund is held, and its run wants to send it', async () => {
    const { rows } = await oncepay.sql.query<{ status: string }>(
      `SELECT r.status FROM refunds r, pg_stat_activity a WHERE r.out_trade_no = $1
         AND a.datname = current_database() AND a.wait_event_type = 'Lock'
         AND a.query LIKE '%rate_limits%'`,
      [no],
    );
    return rows[0]?.status === 'pending' ? true : null;
  });
  await oncepay.workers.at(-1)?.kill('SIGKILL');
  expect(oncepay.simulator.refundsOf(no)).toEqual([]);
  await holder.query('ROLLBACK');
  holder.release();
  oncepay.workers.push(await oncepay.startWorker());
}

const requestsOf = (number: string, operation: string) =>
  oncepay.simulator.requestsOf(number).filter((request) => request.operation === operation);
const isProcessing = ({ refunds }: OrderView) =>
  refunds.some(({ status }) => status === 'processing');

/** WeChat ends the refund that it worked on when the worker died. */
async function ends(no: string): Promise<void> {
  const order = await oncepay.untilOrder(no, 'it is under way', isProcessing, RECOVERY_MS);
  const outRefundNo = order.refunds[0]?.out_refund_no ?? '';
  await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS' });
}

async function expectRefundedOnce(no: string): Promise<void> {
  const order = await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
  expect(order).toMatchObject({ attention: null, effects: [], amount: { refunded: 300 } });
  expect(atWechat(oncepay, no)).toEqual({ asked: 1, backFen: 300, contents: 1 });
}

test('a worker dies between holding and sending a refund: another one sends it once', async () => {
  await expectRefundedOnce(orders.held);
  expect(requestsOf(orders.held, 'refund')).toHaveLength(1);
});

test('a worker dies while WeChat has the refund: the number stays the same', async () => {
  await ends(orders.sent);
  await expectRefundedOnce(orders.sent);
});

test('a worker dies while WeChat has the redirect: the next one doesn’t send it', async () => {
  const all = () => oncepay.simulator.requestsOf(orders.redirected);
  await ends(orders.redirected);
  await expectRefundedOnce(orders.redirected);
  const operations = all().map(({ operation }) => operation);
  expect(operations.slice(operations.indexOf('abnormal_refund'))).toEqual([
    'abnormal_refund',
    'refund_query',
  ]);
});

test('a worker dies while WeChat shares: another one goes on, and shares once', async () => {
  await untilSharing(oncepay, orders.split, outOrderNo, 'finished', RECOVERY_MS);
  expect(oncepay.simulator.balanceOf(orders.split)).toMatchObject({ sharedFen: 40 });
  expect(requestsOf(outOrderNo, 'share')).toHaveLength(1);
});
