// The options that start each kind of run.
// Sandbox: deterministic only.
import { parseOrderNumber } from '../orders/order-number';
import { TASK_QUEUES } from './task-queues';
import {
  orderWorkflowId,
  reconciliationWorkflowId,
  refundWorkflowId,
  sharingWorkflowId,
} from './workflow-ids';

/**
 * The start options of an order's run. Any number of starts make one run (P5); its only argument is
 * the order number.
 */
export function orderRunStart(outTradeNo: string) {
  return {
    workflowId: orderWorkflowId(outTradeNo),
    taskQueue: TASK_QUEUES.orders,
    args: [outTradeNo] as [string],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: orderSummary(outTradeNo),
  };
}

/** The start options of a refund's run. */
export function refundRunStart(outRefundNo: string) {
  return {
    workflowId: refundWorkflowId(outRefundNo),
    taskQueue: TASK_QUEUES.orders,
    args: [outRefundNo] as [string],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: `Refund ${outRefundNo}`,
  };
}

/** The start options of the run of a profit sharing. */
export function sharingRunStart(outOrderNo: string) {
  return {
    workflowId: sharingWorkflowId(outOrderNo),
    taskQueue: TASK_QUEUES.orders,
    args: [outOrderNo] as [string],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: `Profit sharing ${outOrderNo}`,
  };
}

/** The start options of the run that reconciles a day. */
export function reconciliationRunStart(billDate: string) {
  return {
    workflowId: reconciliationWorkflowId(billDate),
    taskQueue: TASK_QUEUES.orders,
    args: [billDate] as [string],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' as const,
    staticSummary: `Reconciliation of ${billDate}`,
  };
}

/** One line for Temporal Web UI. It can't change later, so it says only what the number says. */
function orderSummary(outTradeNo: string): string {
  const parsed = parseOrderNumber(outTradeNo);
  if (parsed.kind !== 'valid') return `Unknown order ${outTradeNo}`;
  const { day, channel, sequence } = parsed;
  const date = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}`;
  return `Order ${date} · ${channel} · no. ${sequence}`;
}
