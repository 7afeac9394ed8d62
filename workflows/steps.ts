// Sandbox: deterministic only.
import { isCancellation, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
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
import { isBudgetSpent } from './flights';

/**
 * A regular activity states its own next delay with every failure it knows; these only serve those it
 * could not state: a worker that died, a time-out. The order's own end bounds them all.
 */
const STATIC_RETRY = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '15s',
} as const;

/** Well under the 10 s of a workflow task, with two more tries in it. */
const local = proxyLocalActivities<OrderActivities>({
  startToCloseTimeout: '8s',
  scheduleToCloseTimeout: '9s',
  retry: { maximumAttempts: 3, initialInterval: '100ms', backoffCoefficient: 2 },
});

/** The same steps where a person can see them stuck. */
const regular = proxyActivities<OrderActivities & EffectActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '15s',
  retry: STATIC_RETRY,
});

/** Prepay: one call of at most 8 s. Close: query, close, query. */
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

/** A query and a call of at most 8 s each; of a sharing, some calls in a row, up to 20 s and two more. */
export const money = proxyActivities<MoneyActivities & SharingActivities>({
  taskQueue: TASK_QUEUES.wechatpayMoney,
  startToCloseTimeout: '45s',
  retry: STATIC_RETRY,
});

export const outbound = proxyActivities<OutboundActivities>({
  taskQueue: TASK_QUEUES.outbound,
  startToCloseTimeout: '40s',
  retry: STATIC_RETRY,
});

export const finishEffects = regular.finishEffects;

/**
 * Tries a database step as a local activity, then as a regular one until it gets through (P9). How a
 * local activity's failure is wrapped differs; only a cancel is none. A regular one that was given up
 * is started again: it goes on slowly, and a person was asked.
 */
async function step<T>(first: Promise<T>, then: () => Promise<T>): Promise<T> {
  try {
    return await first;
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
  for (;;) {
    try {
      return await then();
    } catch (error) {
      if (!isBudgetSpent(error)) throw error;
    }
  }
}

type Cause = Parameters<OrderActivities['beginClose']>[1];

export const steps = {
  loadRun: (no: string) => step(local.loadRun(no), () => regular.loadRun(no)),
  applyNotices: (no: string) => step(local.applyNotices(no), () => regular.applyNotices(no)),
  runEffects: (no: string) => step(local.runEffects(no), () => regular.runEffects(no)),
  beginClose: (no: string, cause: Cause) =>
    step(local.beginClose(no, cause), () => regular.beginClose(no, cause)),
  rest: (no: string) => step(local.rest(no), () => regular.rest(no)),
  propose: (no: string, proposal: Proposal) =>
    step(local.propose(no, proposal), () => regular.propose(no, proposal)),
  readRefund: (refundNo: string) =>
    step(local.readRefund(refundNo), () => regular.readRefund(refundNo)),
} as const;
