// Workflows that are wrong on purpose: their first step is in no recording.
// Sandbox: deterministic only.
import { sleep } from '@temporalio/workflow';
import { orderWorkflow as realOrder } from '../../workflows/order-workflow';
import { patrolWorkflow as realPatrol } from '../../workflows/patrol-workflow';
import { profitSharingWorkflow as realSharing } from '../../workflows/profit-sharing-workflow';
import * as reconciliation from '../../workflows/reconciliation-workflow';
import { refundWorkflow as realRefund } from '../../workflows/refund-workflow';

/** A careless change of a released workflow; the replay check must refuse it. */
function changed<A extends unknown[], R>(real: (...args: A) => Promise<R>) {
  return async (...args: A): Promise<R> => {
    await sleep('1 second');
    return real(...args);
  };
}

export const orderWorkflow = changed(realOrder);
export const refundWorkflow = changed(realRefund);
export const patrolWorkflow = changed(realPatrol);
export const profitSharingWorkflow = changed(realSharing);
export const reconciliationWorkflow = changed(reconciliation.reconciliationWorkflow);
