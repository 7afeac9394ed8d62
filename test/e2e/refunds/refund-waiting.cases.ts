// Refunds that WeChat works on: queries, late callbacks, unknown numbers, the rate limit.
import { temporal } from '@temporalio/proto';
import { TASK_QUEUES } from '../../../domain/temporal/task-queues';
import { refundWorkflowId } from '../../../domain/temporal/workflow-ids';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { resolve, interventionsOf, untilOpened } from '../support/interventions';
import { requestRefund, atWechat, externalRefund, paidOrder } from '../support/refunds';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const { PendingActivityState, RateLimitSource, TaskQueueType } = temporal.api.enums.v1;
const WECHAT_REFUNDS_PER_SECOND = 150;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

/** A refund of 100 of an order of 300 fen, which WeChat works on. @returns both numbers */
async function refunding(): Promise<[no: string, refund: string]> {
  const no = await paidOrder(oncepay);
  const refundNo = `${no}-1`;
  oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', outRefundNo: refundNo });
  expect((await requestRefund(oncepay, no, { out_refund_no: refundNo, amount: 100 })).status).toBe(
    202,
  );
  return [no, refundNo];
}

const runOf = (refundNo: string) => oncepay.temporal.workflow.getHandle(refundWorkflowId(refundNo));

async function eventsOf(refundNo: string): Promise<number> {
  const { events } = await runOf(refundNo).fetchHistory();
  return events?.length ?? 0;
}

const queriesOf = (refundNo: string): number =>
  oncepay.simulator.requestsOf(refundNo).filter((one) => one.operation === 'refund_query').length;

/** The pause until the next query, from now, after so many queries. */
async function gapAfter(refundNo: string, queries: number): Promise<number> {
  return until(`it is asked about ${queries} times`, async () => {
    const { rows } = await oncepay.sql.query<{ ms: number }>(
      `SELECT (extract(epoch FROM next_query_at - now()) * 1000)::float8 AS ms FROM refunds
       WHERE out_refund_no = $1 AND status = 'processing' AND next_query_at > now()`,
      [refundNo],
    );
    return queriesOf(refundNo) === queries ? rows[0]?.ms : null;
  });
}

/** Sets the clock on: WeChat accepted the refund so long ago, and the pause of the run is over. */
async function acceptedAgo(refundNo: string, ms: number): Promise<void> {
  await until('its run pauses', async () => {
    const { raw } = await runOf(refundNo).describe();
    const [activity] = raw.pendingActivities ?? [];
    return activity?.state === PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED || null;
  });
  await oncepay.sql.query(
    `UPDATE refunds SET accepted_at = now() - $2 * interval '1 ms', next_query_at = now()
     WHERE out_refund_no = $1`,
    [refundNo, ms],
  );
  await oncepay.temporal.workflowService.resetActivity({
    namespace: oncepay.temporal.options.namespace,
    execution: { workflowId: refundWorkflowId(refundNo) },
    type: 'settleRefund',
  });
}

test('a refund in progress is queried ever more rarely; its history doesn’t grow', async () => {
  const [no, refundNo] = await refunding();
  const gaps = [await gapAfter(refundNo, 0)];
  const events = await eventsOf(refundNo);
  // The times of the queries, counted from WeChat's response.
  const times = [5, 20, 80, 380, 1_280].map((seconds) => seconds * SECOND_MS);
  for (const [n, at] of times.entries()) {
    await acceptedAgo(refundNo, at);
    gaps.push(await gapAfter(refundNo, n + 1));
  }
  const expected = [5, 15, 60, 300, 900, 1_800].map((seconds) => seconds * SECOND_MS);
  gaps.forEach((gap, n) => {
    expect(gap).toBeLessThanOrEqual(expected[n] ?? 0);
    expect(gap).toBeGreaterThan((expected[n] ?? 0) - 3 * SECOND_MS);
  });
  expect(await eventsOf(refundNo)).toBe(events);
  await oncepay.simulator.settleRefund({ outRefundNo: refundNo, status: 'SUCCESS', callbacks: 0 });
  await acceptedAgo(refundNo, MINUTE_MS);
  expect(await runOf(refundNo).result()).toBe('succeeded');
  expect(atWechat(oncepay, no)).toEqual({ asked: 1, backFen: 100, contents: 1 });
});

test('a refund callback after the run’s end changes nothing, and its run ends', async () => {
  const [no, refundNo] = await refunding();
  await gapAfter(refundNo, 0);
  await oncepay.simulator.settleRefund({ outRefundNo: refundNo, status: 'SUCCESS', callbacks: 0 });
  const { transaction_id: transactionId } = await oncepay.order(no);
  const told = { ...externalRefund(no, transactionId ?? '', 100), out_refund_no: refundNo };
  const tell = async (id: string): Promise<void> => {
    const callback = { kind: 'refund', outTradeNo: no, resource: told, id } as const;
    expect((await oncepay.simulator.sendRaw(callback)).status).toBe(204);
  };
  await tell(`first-${no}`);
  const {
    notices: _before,
    notices_total: total,
    ...before
  } = await oncepay.untilOrder(
    no,
    'the shop was told of the refund',
    ({ deliveries }) =>
      deliveries.some(({ event }) => event === 'refund.succeeded') &&
      deliveries.every(({ status }) => status === 'done'),
  );
  expect(await runOf(refundNo).result()).toBe('succeeded');
  // The same id is the same notice; another id is another notice about the same refund.
  await tell(`first-${no}`);
  await tell(`other-${no}`);
  const {
    notices,
    notices_total: totalAfter,
    ...after
  } = await oncepay.untilOrder(no, 'the other has a verdict', (order) =>
    order.notices.some(({ id, verdict }) => id === `other-${no}` && verdict !== null),
  );
  expect(await oncepay.temporal.workflow.getHandle(no).result()).toBe('fulfilled');
  expect(await runOf(refundNo).result()).toBe('succeeded');
  expect(notices.filter(({ kind }) => kind === 'refund')).toMatchObject([
    { id: `first-${no}`, verdict: 'applied' },
    { id: `other-${no}`, verdict: 'already_applied' },
  ]);
  expect(after).toEqual(before);
  expect(totalAfter).toBe(total + 1);
  expect(atWechat(oncepay, no)).toEqual({ asked: 1, backFen: 100, contents: 1 });
});

describe('a refund callback for an unknown number', () => {
  async function foreignRefund(refundStatus = 'SUCCESS'): Promise<string> {
    const no = `THEIRS${Date.now()}`;
    const { status } = await oncepay.simulator.sendRaw({
      kind: 'refund',
      outTradeNo: no,
      notifyUrl: oncepay.notifyUrl,
      resource: {
        ...externalRefund(no, '4200000000000000000000000001', 100),
        refund_status: refundStatus,
      },
    });
    expect(status).toBe(204);
    return no;
  }
  /** The rows about the number: notices, refunds, payments. */
  async function booksOf(no: string) {
    const { rows } = await oncepay.sql.query<Record<string, unknown>>(
      `SELECT (SELECT jsonb_agg(verdict) FROM notification_inbox
           WHERE out_trade_no = $1 AND verdict IS NOT NULL) AS verdicts,
         (SELECT count(*)::int FROM refunds WHERE out_trade_no = $1) AS refunds,
         (SELECT count(*)::int FROM payment_transactions WHERE out_trade_no = $1) AS payments`,
      [no],
    );
    return rows[0];
  }

  test('a callback for an unknown refund is stored, gets 204, opens an intervention', async () => {
    const no = await foreignRefund();
    const question = await untilOpened(oncepay, no, 'reconciliation');
    expect(await oncepay.temporal.workflow.getHandle(no).result()).toBe('unknown_order');
    expect(await booksOf(no)).toEqual({ verdicts: ['conflict'], refunds: 0, payments: 0 });
    expect(question).toMatchObject({
      subject: `platform-${no}`,
      actions: ['retry', 'dismiss', 'refund'],
      evidence: {
        out_refund_no: `platform-${no}`,
        refund_status: 'SUCCESS',
        amount: { refund: 100 },
      },
    });
    // The refund is under way already, and its payment is not in our books.
    const refused = await resolve(oncepay, question.id, 'refund');
    expect(refused).toMatchObject({ status: 409, body: { code: 'NOTHING_TO_REFUND' } });
    expect((await resolve(oncepay, question.id, 'dismiss')).status).toBe(200);
    expect(await interventionsOf(oncepay, no)).toEqual([]);
  });

  test('a callback for an unknown closed refund opens no intervention', async () => {
    const no = await foreignRefund('CLOSED');
    await until('it has its verdict', async () => (await booksOf(no))?.['verdicts']);
    expect(await booksOf(no)).toEqual({ verdicts: ['ignored'], refunds: 0, payments: 0 });
    expect(await interventionsOf(oncepay, no)).toEqual([]);
  });

  test('a retry of an unknown refund that still fits no payment opens the next one', async () => {
    const no = await foreignRefund();
    const { id } = await untilOpened(oncepay, no, 'reconciliation');
    expect((await resolve(oncepay, id, 'retry')).status).toBe(200);
    expect(await interventionsOf(oncepay, no)).toMatchObject([{ previous_id: id }]);
    expect(await booksOf(no)).toEqual({ verdicts: ['conflict'], refunds: 0, payments: 0 });
  });
});

test('Temporal holds the money queue’s limit, below WeChat’s 150 refunds a second', async () => {
  // The workers' limit for the queue as Temporal holds it, whatever the number of workers.
  const limit = await until('a worker has told its limit', async () => {
    const { effectiveRateLimit } = await oncepay.temporal.workflowService.describeTaskQueue({
      namespace: oncepay.temporal.options.namespace,
      taskQueue: { name: TASK_QUEUES.wechatpayMoney },
      taskQueueType: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    });
    const isOfWorker =
      effectiveRateLimit?.rateLimitSource === RateLimitSource.RATE_LIMIT_SOURCE_WORKER;
    return isOfWorker ? effectiveRateLimit.requestsPerSecond : null;
  });
  expect(limit).toBeGreaterThan(0);
  expect(limit).toBeLessThan(WECHAT_REFUNDS_PER_SECOND);
});
