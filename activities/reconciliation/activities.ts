// The activities of reconciliation: steps in the database, and steps that call WeChat.
import { Context } from '@temporalio/activity';
import type { Database } from '../../database/database';
import type { BillActivities, ReconciliationActivities } from '../../workflows/activity-contract';
import { retryIn } from '../retries/failures';
import { wakeOrLeaveToSweep } from '../runs/wake-or-leave-to-sweep';
import type { Runs } from '../runs/wake-runs';
import { fetchFundFlowBill, fetchTradeBill, type FetchDeps } from './fetch-bills';
import { repairDifferences, type RepairDeps } from './repair-differences';

export interface ReconciliationActivityDeps {
  readonly database: Pick<Database, 'reconciliations'>;
  readonly runs: Pick<Runs, 'startReconciliation'>;
  readonly merchantId: string;
  readonly now: () => number;
}

/** Runs book a report within seconds. A report that takes longer is found by a rerun. */
const REPAIRS_MS = 2 * 60_000;
const LOOK_AGAIN_MS = 1_000;

/** Makes the steps in the database. */
export function createReconciliationActivities(deps: ReconciliationActivityDeps) {
  const { runs, merchantId, now } = deps;
  const { reconciliations } = deps.database;
  return {
    async startReconciliations() {
      for (const date of await reconciliations.plan(now())) {
        await wakeOrLeaveToSweep(runs.startReconciliation(date));
      }
    },
    compareBill: (date) => reconciliations.compare(date, merchantId, now()),
    async awaitRepairs(date) {
      const waiting = await reconciliations.repairs.waiting(date);
      const sinceMs = now() - Context.current().info.scheduledTimestampMs;
      if (waiting > 0 && sinceMs < REPAIRS_MS) throw retryIn(LOOK_AGAIN_MS, 'NOT_YET', 'repair');
    },
    settleDifferences: (date) => reconciliations.settle(date, now()),
    async finishReconciliation(date) {
      await reconciliations.finish(date, now());
    },
  } satisfies ReconciliationActivities;
}

/** Makes the steps that call WeChat. */
export function createBillActivities(deps: FetchDeps & RepairDeps) {
  return {
    fetchTradeBill: (date) => fetchTradeBill(deps, date),
    fetchFundFlowBill: (date) => fetchFundFlowBill(deps, date),
    repairDifferences: (date, after) => repairDifferences(deps, date, after),
  } satisfies BillActivities;
}
