// The runs of reconciliation: one that starts the days, and one for each day.
// Sandbox: deterministic only.
import { ApplicationFailure, proxyActivities } from '@temporalio/workflow';
import { isBillDate, type BillDate } from '../domain/reconciliation/bill-days';
import { TASK_QUEUES } from '../domain/temporal/task-queues';
import { isBudgetSpent } from './call-activities';
import type {
  BillActivities,
  ReconciliationActivities,
  ReconciliationOutboundActivities,
} from './activity-contract';

/** Serves the failures that an activity can't report: a worker that died, a timeout. */
const STATIC_RETRY = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '15s',
} as const;

/** A comparison of a million lines takes seconds; the time is for a busy database. */
const steps = proxyActivities<ReconciliationActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '10m',
  heartbeatTimeout: '30s',
  retry: STATIC_RETRY,
});

/** A download ends within the limits of the client; its lines are copied as they come. */
const bills = proxyActivities<BillActivities>({
  taskQueue: TASK_QUEUES.wechatpayQuery,
  startToCloseTimeout: '30m',
  // When a worker dies in the middle, the next attempt must not wait for the whole timeout.
  heartbeatTimeout: '30s',
  retry: STATIC_RETRY,
});

const outbound = proxyActivities<ReconciliationOutboundActivities>({
  taskQueue: TASK_QUEUES.outbound,
  startToCloseTimeout: '1m',
  retry: STATIC_RETRY,
});

/** The run that the schedule starts: it starts the runs of the days. */
export async function reconciliationStarter(): Promise<void> {
  await untilDone(() => steps.startReconciliations());
}

/**
 * Reconciles a day; its id is `reconciliation/<date>`. It gets the bill, compares it with our rows,
 * lets the runs of orders book what WeChat confirms, opens interventions about the rest, and
 * reports the result. The rows say what is left: a run can always be started again (P5).
 */
export async function reconciliationWorkflow(
  billDate: string,
): Promise<'done' | 'failed' | 'gone'> {
  if (!isBillDate(billDate)) {
    throw ApplicationFailure.nonRetryable('A reconciliation needs a day like 2026-11-30');
  }
  const bill = await untilDone(() => bills.fetchTradeBill(billDate));
  if (bill !== 'staged') return bill;
  await untilDone(() => bills.fetchFundFlowBill(billDate));
  if (!(await untilDone(() => steps.compareBill(billDate)))) return 'gone';
  if ((await repair(billDate)) > 0) {
    await untilDone(() => steps.awaitRepairs(billDate));
    if (!(await untilDone(() => steps.compareBill(billDate)))) return 'gone';
  }
  await untilDone(() => steps.settleDifferences(billDate));
  await untilDone(() => steps.finishReconciliation(billDate));
  await untilDone(() => outbound.deliverReconciliations());
  return 'done';
}

/** @returns how many reports were stored for the runs of their orders */
async function repair(billDate: BillDate): Promise<number> {
  let stored = 0;
  let after: string | null = null;
  do {
    const batch = await untilDone(() => bills.repairDifferences(billDate, after));
    stored += batch.stored;
    after = batch.last;
  } while (after !== null);
  return stored;
}

/**
 * Runs an activity again after its retry budget is spent: its row says by then that nothing is left
 * to try, or an intervention is open and the step goes on slowly.
 */
async function untilDone<T>(activity: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await activity();
    } catch (error) {
      if (!isBudgetSpent(error)) throw error;
    }
  }
}
