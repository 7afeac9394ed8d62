/** Temporal's name of each workflow type: part of every history, never renamed. */
export const ORDER_WORKFLOW_TYPE = 'orderWorkflow';
export const REFUND_WORKFLOW_TYPE = 'refundWorkflow';
export const SHARING_WORKFLOW_TYPE = 'profitSharingWorkflow';
export const PATROL_WORKFLOW_TYPE = 'patrolWorkflow';

/** Temporal's name of the signal that tells a run to look at its rows. */
export const NOTICE_SIGNAL = 'notice';

/** An order's run is found under the bare order number (S9: one function makes each workflow id). */
export function orderWorkflowId(outTradeNo: string): string {
  return outTradeNo;
}

/** A refund's run. */
export function refundWorkflowId(outRefundNo: string): string {
  return `refund/${outRefundNo}`;
}

/** The run of one profit sharing, or of one unfreeze. */
export function sharingWorkflowId(outOrderNo: string): string {
  return `sharing/${outOrderNo}`;
}

/** The update that tells a run of a person's answer: a double click is one update. */
export function resolutionUpdateId(resolutionId: string): string {
  return `resolution:${resolutionId}`;
}

/** The prepay update's id: fifty identical requests for round `n` share one update. */
export function prepayUpdateId(round: number): string {
  return `prepay:${round}`;
}

/** The close update's id: every close request of an order shares one update. */
export const CLOSE_UPDATE_ID = 'close';

/**
 * Stable over every attempt, so that the receiver can drop repeats.
 * @param number the refund's, for events of a refund
 */
export function deliveryId(outTradeNo: string, event: string, number?: string): string {
  return [outTradeNo, event, ...(number === undefined ? [] : [number])].join(':');
}
