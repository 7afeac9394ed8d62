/** Temporal's name of each workflow type: part of every history, never renamed. */
export const ORDER_WORKFLOW_TYPE = 'orderWorkflow';

/** An order's run is found under the bare order number (S9: one function makes each workflow id). */
export function orderWorkflowId(outTradeNo: string): string {
  return outTradeNo;
}

/** The prepay update's id: fifty identical requests for round `n` share one update. */
export function prepayUpdateId(round: number): string {
  return `prepay:${round}`;
}

/** The close update's id: every close request of an order shares one update. */
export const CLOSE_UPDATE_ID = 'close';

/** Stable over every attempt, so that the receiver can drop repeats. */
export function deliveryId(outTradeNo: string, event: string): string {
  return `${outTradeNo}:${event}`;
}
