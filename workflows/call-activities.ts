// The activities as the workflows call them: task queues, timeouts, local before regular.
// Sandbox: deterministic only.
import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import { DELIVERY_TIMES_MS } from '../domain/outbound/delivery-times';
import { BUDGET_SPENT } from '../domain/retries/retry-policy';
import type { CloseCause } from '../domain/orders/run-view';
import { TASK_QUEUES } from '../domain/temporal/task-queues';
import type {
  EffectActivities,
  MoneyActivities,
  OrderActivities,
  OutboundActivities,
  Proposal,
  QueryActivities,
  SharingActivities,
  WechatActivities,
} from './activity-contract';

/**
 * True for the failure of an activity whose retry budget is spent. The rows have an open
 * intervention then, and the run has to read them again.
 */
export function isBudgetSpent(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === BUDGET_SPENT
  );
}

/**
 * A regular activity states its own next delay with every failure that it can report. These delays
 * serve the failures that it can't: a worker that died, a timeout. The order's own end bounds them
 * all.
 */
const STATIC_RETRY = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '15s',
} as const;

/** Well below the 10 s of a workflow task, with room for two more attempts. */
const local = proxyLocalActivities<OrderActivities>({
  startToCloseTimeout: '8s',
  scheduleToCloseTimeout: '9s',
  retry: { maximumAttempts: 3, initialInterval: '100ms', backoffCoefficient: 2 },
});

/** The same steps as regular activities: Web UI shows a person the ones that fail. */
const regular = proxyActivities<OrderActivities & EffectActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '15s',
  retry: STATIC_RETRY,
});

/** Prepay is one call to WeChat of at most 8 s; close is three: query, close, query. */
export const wechat = proxyActivities<WechatActivities>({
  taskQueue: TASK_QUEUES.wechatpay,
  startToCloseTimeout: '45s',
  retry: STATIC_RETRY,
});

export const queries = proxyActivities<QueryActivities>({
  taskQueue: TASK_QUEUES.wechatpayQuery,
  startToCloseTimeout: '20s',
  retry: STATIC_RETRY,
});

/**
 * A refund is a query and a call to WeChat, at most 8 s each. A sharing first adds its receivers,
 * for up to 20 s, and then makes two calls as well.
 */
export const money = proxyActivities<MoneyActivities & SharingActivities>({
  taskQueue: TASK_QUEUES.wechatpayMoney,
  startToCloseTimeout: '45s',
  retry: STATIC_RETRY,
});

export const outbound = proxyActivities<OutboundActivities>({
  taskQueue: TASK_QUEUES.outbound,
  startToCloseTimeout: DELIVERY_TIMES_MS.attempt,
  // When a worker dies in the middle, the next attempt must not wait for the whole timeout.
  heartbeatTimeout: DELIVERY_TIMES_MS.heartbeat,
  retry: STATIC_RETRY,
});

export const finishEffects = regular.finishEffects;

/**
 * Runs a database step as a local activity; when that fails, as a regular one until it succeeds
 * (P9). Every error of the local activity counts as a failure but a cancellation, because its
 * wrapping differs. A regular activity whose budget is spent is started again: an intervention is
 * open, and the step goes on slowly.
 */
async function step<T>(localRun: Promise<T>, regularRun: () => Promise<T>): Promise<T> {
  try {
    return await localRun;
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
  for (;;) {
    try {
      return await regularRun();
    } catch (error) {
      if (!isBudgetSpent(error)) throw error;
    }
  }
}

/** The database steps of the runs. */
export const steps = {
  loadRun: (no: string) => step(local.loadRun(no), () => regular.loadRun(no)),
  applyNotices: (no: string) => step(local.applyNotices(no), () => regular.applyNotices(no)),
  runEffects: (no: string) => step(local.runEffects(no), () => regular.runEffects(no)),
  beginClose: (no: string, cause: CloseCause) =>
    step(local.beginClose(no, cause), () => regular.beginClose(no, cause)),
  rest: (no: string) => step(local.rest(no), () => regular.rest(no)),
  propose: (no: string, proposal: Proposal) =>
    step(local.propose(no, proposal), () => regular.propose(no, proposal)),
  readRefund: (refundNo: string) =>
    step(local.readRefund(refundNo), () => regular.readRefund(refundNo)),
} as const;
