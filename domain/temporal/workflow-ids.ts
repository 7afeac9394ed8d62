// The ids and names by which Temporal knows runs, updates and signals.
// Sandbox: deterministic only.

/** Temporal's name of each workflow type. It is part of every history: never rename one. */
export const ORDER_WORKFLOW_TYPE = 'orderWorkflow';
export const REFUND_WORKFLOW_TYPE = 'refundWorkflow';
export const SHARING_WORKFLOW_TYPE = 'profitSharingWorkflow';
export const PATROL_WORKFLOW_TYPE = 'patrolWorkflow';
export const RECONCILIATION_WORKFLOW_TYPE = 'reconciliationWorkflow';
export const RECONCILIATION_STARTER_TYPE = 'reconciliationStarter';

/** Temporal's name of the signal that wakes a run, which then reads its rows. */
export const NOTICE_SIGNAL = 'notice';

/** The id of an order's run is the bare order number (S9: one function makes each workflow id). */
export function orderWorkflowId(outTradeNo: string): string {
  return outTradeNo;
}

/** The id of a refund's run. */
export function refundWorkflowId(outRefundNo: string): string {
  return `refund/${outRefundNo}`;
}

/** The id of the run of one profit sharing, or of one unfreeze. */
export function sharingWorkflowId(outOrderNo: string): string {
  return `sharing/${outOrderNo}`;
}

/** The id of the run that reconciles a day. */
export function reconciliationWorkflowId(billDate: string): string {
  return `reconciliation/${billDate}`;
}

/** The id of the update that names a resolution to a run, so that a double click is one update. */
export function resolutionUpdateId(resolutionId: string): string {
  return `resolution:${resolutionId}`;
}

/**
 * The id of the prepay update. All requests for the same round share one update, until a person
 * acts: a completed update would give its old reply again.
 * @param ended how many interventions `wechat_failed` of the order have ended
 */
export function prepayUpdateId(round: number, ended: number): string {
  return afterEnded(`prepay:${round}`, ended);
}

/**
 * The id of the close update. All close requests of an order share one update, until a person acts.
 * @param ended as for {@link prepayUpdateId}
 */
export function closeUpdateId(ended: number): string {
  return afterEnded('close', ended);
}

function afterEnded(id: string, ended: number): string {
  return ended === 0 ? id : `${id}:after:${ended}`;
}

/**
 * The id of an outbound delivery, the same at every attempt, so that the receiver can drop repeats.
 * @param subject the order number, or the day of a reconciliation
 * @param number the number of the refund or sharing, or of the day's run, for their events
 */
export function deliveryId(subject: string, event: string, number?: string): string {
  return [subject, event, ...(number === undefined ? [] : [number])].join(':');
}
