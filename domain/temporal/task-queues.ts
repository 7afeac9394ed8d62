// The names of task queues and search attributes in Temporal.
// Sandbox: deterministic only.

/** The task queues. Each outside system has its own, so that a slow one holds nothing else back. */
export const TASK_QUEUES = {
  /** Workflows and database steps. */
  orders: 'oncepay-orders',
  /** Prepay and close. */
  wechatpay: 'oncepay-wechatpay',
  /** Queries for payments, which may wait. */
  wechatpayQuery: 'oncepay-wechatpay-query',
  /** Refunds and profit sharing. */
  wechatpayMoney: 'oncepay-wechatpay-money',
  /** Deliveries to the shop and the user. */
  outbound: 'oncepay-outbound',
} as const;

export type TaskQueue = (typeof TASK_QUEUES)[keyof typeof TASK_QUEUES];
export const TASK_QUEUE_NAMES: readonly TaskQueue[] = Object.values(TASK_QUEUES);

/** Search attributes of an order's run; both are registered as Keyword. */
export const SEARCH_ATTRIBUTES = {
  status: 'OncepayStatus',
  attention: 'OncepayAttention',
} as const;
