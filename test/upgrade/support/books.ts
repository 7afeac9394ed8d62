// Compares, after an upgrade, the orders with WeChat's books and the runs with their histories.
import { ScheduleOverlapPolicy } from '@temporalio/client';
import { failedTasks } from '../../support/failed-tasks';
import { countEffects, type OrderView, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import type { OpenState } from './open-orders';

/** Runs end soon after their order; the sweep finds those that were left. */
const RUNS_END_MS = 75_000;
/** A section whose worker was killed is tried again after 15 s without a heartbeat. */
const PATROL_MS = 90_000;

/** Waits until the shop knows all, then checks status, effects, webhooks, and money at WeChat. */
export async function checkOrder(
  oncepay: TestOncepay,
  no: string,
  { status, refundedFen }: OpenState['end'],
): Promise<void> {
  const order = await oncepay.untilStatus(no, status);
  expect(order).toMatchObject({ status, amount: { refunded: refundedFen }, attention: null });
  const isPaid = status !== 'closed' && !order.history.some(({ to }) => to === 'closed');
  const { applied, pointsEntries, paidSteps } = await countEffects(oncepay.sql, no);
  const back = order.effects.filter(({ effect }) => effect.startsWith('points_back:')).length;
  expect({ paidSteps, bookedPoints: pointsEntries - back }).toEqual({
    paidSteps: isPaid ? 1 : 0,
    bookedPoints: isPaid ? 1 : 0,
  });
  expect(applied).toBe(status === 'closed' ? 0 : 1);
  checkWebhooks(oncepay, order);
  expect(bookedRefunds(order)).toEqual(refundsAtWechat(oncepay, no));
}

/** Each delivery was made once, and the shop got nothing else. */
function checkWebhooks({ webhooks }: TestOncepay, { out_trade_no: no, deliveries }: OrderView) {
  expect(deliveries.map(({ status }) => status)).toEqual(deliveries.map(() => 'done'));
  const sent = deliveries.filter(({ kind }) => kind === 'webhook').map(({ id }) => id);
  const received = webhooks.of(no).map(({ id }) => id);
  expect(received.sort()).toEqual(sent.sort());
}

const bookedRefunds = ({ refunds }: OrderView) =>
  refunds
    .map(({ out_refund_no: no, amount, status }) => `${no} ${amount} ${status.toUpperCase()}`)
    .sort();

const refundsAtWechat = ({ simulator }: TestOncepay, no: string) =>
  simulator
    .refundsOf(no)
    .map(({ outRefundNo, refundFen, status }) => {
      return `${outRefundNo} ${refundFen} ${status === 'SUCCESS' ? 'SUCCEEDED' : status}`;
    })
    .sort();

/** Waits until every run but the patrol's has ended. @throws when one did not end as completed */
async function untilRunsEnded({ temporal }: TestOncepay): Promise<void> {
  let open: string[] = [];
  await until(
    'every run has ended',
    async () => {
      open = [];
      for await (const { workflowId, status } of temporal.workflow.list()) {
        if (status.name !== 'COMPLETED' && !workflowId.startsWith('oncepay-patrol')) {
          open.push(`${workflowId} ${status.name}`);
        }
      }
      return open.length === 0 ? true : null;
    },
    RUNS_END_MS,
  ).catch(() => expect(open).toEqual([]));
}

/** The workflow tasks that a worker could not carry out, of all runs. */
export async function allFailedTasks({ temporal }: TestOncepay): Promise<string[]> {
  const failures: string[] = [];
  for await (const { workflowId, runId } of temporal.workflow.list()) {
    const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const { failure, cause } of failedTasks(history)) {
      failures.push(`${workflowId}: ${failure?.message ?? cause}`);
    }
  }
  return failures;
}

interface PatrolRun {
  readonly id: string;
  readonly status: string;
  readonly findings: readonly { readonly kind: string }[];
}

/** The newest patrol. */
async function latestPatrol(oncepay: TestOncepay): Promise<PatrolRun | undefined> {
  const { body } = await oncepay.call('GET', '/v1/patrol/runs?limit=1');
  return (body as unknown as { data: PatrolRun[] }).data[0];
}

/** Starts a patrol and waits for its report. */
async function patrolNow(oncepay: TestOncepay): Promise<PatrolRun> {
  const before = await latestPatrol(oncepay);
  // A patrol that runs now ends first: the schedule would skip another beside it.
  await oncepay.temporal.schedule
    .getHandle('oncepay-patrol')
    .trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  return until(
    'a patrol has ended',
    async () => {
      const newest = await latestPatrol(oncepay);
      return newest && newest.id !== before?.id && newest.status !== 'running' ? newest : null;
    },
    PATROL_MS,
  );
}

/** Nothing is open, and nothing was left to the patrol or to a person. */
export async function checkRest(oncepay: TestOncepay): Promise<void> {
  await untilRunsEnded(oncepay);
  const { status, findings } = await patrolNow(oncepay);
  expect(status).toBe('done');
  // Rows that are kept no longer are purged at any time.
  expect(findings.filter(({ kind }) => !kind.endsWith('_purged'))).toEqual([]);
  const { body } = await oncepay.call('GET', '/v1/interventions?status=open');
  expect(body).toMatchObject({ data: [] });
}
