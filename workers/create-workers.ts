// Wires activities and limits into one Temporal worker per task queue.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { Agent } from 'undici';
import {
  createLoggedMessages,
  createWebhookPort,
  noReceiver,
} from '../activities/outbound/send-webhook';
import { createOutboundActivities } from '../activities/outbound/activities';
import { createOrderActivities } from '../activities/orders/activities';
import { createPatrolActivities } from '../activities/patrol/activities';
import { createQueryActivities } from '../activities/orders/query-payment';
import { createMoneyActivities } from '../activities/refunds/activities';
import { describeRun } from '../activities/patrol/run-descriptions';
import { runs } from '../activities/runs/wake-runs';
import {
  createBillActivities,
  createReconciliationActivities,
} from '../activities/reconciliation/activities';
import { createResultDelivery } from '../activities/reconciliation/deliver-result';
import type { RetryControl } from '../activities/retries/control';
import { createSharingActivities } from '../activities/sharing/activities';
import type { RetryDecider } from '../activities/retries/decide-retry';
import type { QueryGaps } from '../activities/wechat/deps';
import { createWechatActivities } from '../activities/orders/prepay';
import type { Outages } from '../database/retries/report-outages';
import type { Logger } from '../config/logger';
import { packageRoot, workflowBundlePath } from '../config/paths';
import type { Settings } from '../config/settings';
import type { Database } from '../database/database';
import { TASK_QUEUES, type TaskQueue } from '../domain/temporal/task-queues';
import type { WechatPayClient } from '../providers/wechatpay/client';
import { parseNotice } from '../providers/wechatpay/notices/notice-parser';
import { createHeartbeatInterceptor } from './interceptors/heartbeat';
import { createRetryInterceptor } from './interceptors/retry';

/** Times in ms that operators can change at run time. Each rejects while the database is away. */
export interface TimesInForce {
  readonly queryGapsMs: QueryGaps;
  /** Least time between two refunds of one payment. */
  readonly refundSpacingMs: () => Promise<number>;
  readonly patrolIntervalMs: () => Promise<number>;
}

export interface WorkerDeps {
  readonly settings: Pick<
    Settings,
    'temporal' | 'taskQueues' | 'webhook' | 'buildId' | 'wechatpay' | 'reconcileAt'
  >;
  readonly connection: NativeConnection;
  readonly database: Database;
  readonly wechatpay: WechatPayClient;
  readonly times: Pick<TimesInForce, 'queryGapsMs' | 'refundSpacingMs'>;
  /** Decides what follows a failed attempt. */
  readonly decideRetry: RetryDecider;
  readonly retryPolicy: RetryControl['policy'];
  readonly outages: Outages;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Time for activities under way when a worker has to stop; a call to WeChat takes 8 s at most. */
export const SHUTDOWN_GRACE_MS = 10_000;
/** After this the worker abandons its activities; another worker makes their next attempts. */
export const SHUTDOWN_FORCE_MS = 15_000;
/** Runs kept in memory; a waiting run is rebuilt from its history when it wakes. */
const MAX_CACHED_WORKFLOWS = 400;
/**
 * A bound for each queue, far above the load of a day. Most attempts only read a row and wait on,
 * and WeChat enforces its own limit with status 429.
 */
const ATTEMPTS_PER_SECOND = 1_000;
/**
 * WeChat accepts 150 refunds a second from a merchant; this queue has the refund queries as well.
 */
const REFUNDS_PER_SECOND = 100;

/** One worker per task queue that this process serves, each with its own limits. */
export async function createWorkers(deps: WorkerDeps): Promise<Worker[]> {
  const { settings, connection } = deps;
  const common = {
    connection,
    namespace: settings.temporal.namespace,
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    shutdownForceTime: SHUTDOWN_FORCE_MS,
    interceptors: {
      activity: [createHeartbeatInterceptor(), createRetryInterceptor(deps.decideRetry)],
    },
    ...(settings.buildId === null ? {} : { identity: `${settings.buildId}@${process.pid}` }),
  } satisfies Partial<WorkerOptions>;
  const queues = optionsByQueue(deps);
  return Promise.all(
    settings.taskQueues
      .filter((taskQueue) => queues[taskQueue] !== undefined)
      .map((taskQueue) => Worker.create({ ...common, ...queues[taskQueue], taskQueue })),
  );
}

function optionsByQueue(deps: WorkerDeps): Partial<Record<TaskQueue, Partial<WorkerOptions>>> {
  const { settings, database, wechatpay, outages, now } = deps;
  const { queryGapsMs, refundSpacingMs } = deps.times;
  const autoscaling = { type: 'autoscaling' } as const;
  const { merchantId } = settings.wechatpay;
  const billPolicy = () => deps.retryPolicy('wechat.bill');
  const random = Math.random;
  return {
    [TASK_QUEUES.orders]: {
      ...workflowSource(),
      activities: {
        ...createOrderActivities({ database, parseNotice, now }),
        ...createPatrolActivities({
          database,
          runs,
          describeRun,
          outage: (...outage) => outages.report(...outage),
          isReconciling: settings.reconcileAt !== null,
          now,
        }),
        ...createReconciliationActivities({ database, runs, merchantId, now }),
      },
      maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
      maxConcurrentLocalActivityExecutions: 32,
      maxConcurrentActivityTaskExecutions: 32,
      workflowTaskPollerBehavior: autoscaling,
    },
    [TASK_QUEUES.wechatpay]: {
      activities: createWechatActivities({ database, wechatpay, queryGapsMs, now }),
      maxConcurrentActivityTaskExecutions: 64,
      maxTaskQueueActivitiesPerSecond: ATTEMPTS_PER_SECOND,
      activityTaskPollerBehavior: autoscaling,
    },
    [TASK_QUEUES.wechatpayQuery]: {
      activities: {
        ...createQueryActivities({ database, wechatpay, queryGapsMs, now }),
        ...createBillActivities({ database, wechatpay, runs, merchantId, billPolicy, random, now }),
      },
      maxConcurrentActivityTaskExecutions: 32,
      maxTaskQueueActivitiesPerSecond: ATTEMPTS_PER_SECOND,
      activityTaskPollerBehavior: autoscaling,
    },
    [TASK_QUEUES.wechatpayMoney]: {
      activities: {
        ...createMoneyActivities({ database, wechatpay, refundSpacingMs, now, random }),
        ...createSharingActivities({ database, wechatpay, now }),
      },
      maxConcurrentActivityTaskExecutions: 32,
      maxTaskQueueActivitiesPerSecond: REFUNDS_PER_SECOND,
      activityTaskPollerBehavior: autoscaling,
    },
    [TASK_QUEUES.outbound]: {
      activities: outboundActivities(deps),
      maxConcurrentActivityTaskExecutions: 64,
      maxTaskQueueActivitiesPerSecond: ATTEMPTS_PER_SECOND,
      activityTaskPollerBehavior: autoscaling,
    },
  };
}

/** The webhooks about orders and reconciliations have one receiver. */
function outboundActivities({ settings, database, logger, now }: WorkerDeps) {
  const webhook = settings.webhook
    ? createWebhookPort({ ...settings.webhook, dispatcher: new Agent(), now })
    : noReceiver;
  const message = createLoggedMessages((event, ids) => logger.info(ids, event));
  return {
    ...createOutboundActivities({ database, now, ports: { webhook, message } }),
    ...createResultDelivery({ database, webhook, now }),
  };
}

/** The bundle of `npm run build`; from the sources (in tests) Temporal bundles at the start. */
function workflowSource(): Partial<WorkerOptions> {
  const fromDist = __dirname.startsWith(join(packageRoot(), 'dist'));
  if (fromDist && existsSync(workflowBundlePath())) {
    return { workflowBundle: { codePath: workflowBundlePath() } };
  }
  return { workflowsPath: join(packageRoot(), 'workflows', 'index.ts') };
}
