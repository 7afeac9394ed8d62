// The worker process: its composition root, and its life from start to stop.
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, Runtime, type Worker } from '@temporalio/worker';
import { checkStart, isCheck, logFindings } from '../api/health/start-findings';
import { loggedEvents, openConfigured } from '../api/open-database';
import { createRetryControl } from '../activities/retries/control';
import { createRetryDecider } from '../activities/retries/decide-retry';
import { WORKER_LOCK_TIMEOUT_MS } from '../database/connections/limit-row-waits';
import { canReachDatabase } from '../database/connections/reach-database';
import { createOutages } from '../database/retries/report-outages';
import { createLogger, type Logger } from '../config/logger';
import { loadSettings, ConfigurationError, type Settings } from '../config/settings';
import { onStopSignals } from '../config/stop-signals';
import type { Cached } from '../database/core/cache-value';
import { createSettingsProvider } from '../database/settings/runtime-settings';
import { createLoggedAlerts } from '../domain/interventions/alert';
import type { RetryOperation } from '../domain/retries/retry-policy';
import type { RuntimeOverrides } from '../domain/settings/runtime-settings';
import { createWechatPayClient } from '../providers/wechatpay/client';
import { createAnnouncer } from './announcer';
import { createWorkers, type TimesInForce } from './create-workers';
import { createDatabaseWatch, createWechatWatch } from './dependency-watch';
import { startHealthServer } from './health-server';
import { createWorkerMetrics } from './metrics';
import { ensureNamespace } from './namespace';
import { keepPatrolSchedule } from './patrol-schedule';
import { keepReconciliationSchedule } from './reconciliation-schedule';
import { runWorkers } from './run-workers';
import { ensureSearchAttributes } from './search-attributes';
import { createTemporalLogger } from './temporal-logger';

/** Pause before the next attempt to reach Temporal, or to start again after a worker has failed. */
const RESTART_PAUSE_MS = 2_000;
/** A Temporal server that lost its data gets namespace and search attributes back within this. */
const SEARCH_ATTRIBUTE_CHECK_MS = 10_000;

/** Makes everything that the task queues need: the worker's composition root. */
function compose(settings: Settings, logger: Logger) {
  const now = Date.now;
  const database = openConfigured(settings, {
    ...loggedEvents(logger),
    lockTimeoutMs: WORKER_LOCK_TIMEOUT_MS,
    onHeldRow: 'fail',
  });
  const alerts = createLoggedAlerts(logger);
  const watched = { alerts, logger, now };
  const { announcements, dependencies, proposals } = database;
  const outages = createOutages({ ...watched, dependencies });
  const control = createRetryControl({ database, now });
  const isReachable = () => canReachDatabase(settings.databaseUrl);
  const databaseWatch = createDatabaseWatch({ ...watched, isReachable });
  const metrics = createWorkerMetrics({
    wechatpay: () => control.wechatIsDown(),
    database: () => Promise.resolve(databaseWatch.isDown()),
  });
  const watchWechat = createWechatWatch({ outages, control, logger });
  const wechatpay = createWechatPayClient({
    ...settings.wechatpay,
    publicKey: settings.wechatpay.publicKey ?? undefined,
    now,
    onEvent: (event) => {
      const { event: name, ...ids } = event;
      logger.debug(ids, name);
      watchWechat(event);
    },
  });
  const decideRetry = createRetryDecider({
    database,
    control,
    onDatabaseAway: () => {
      databaseWatch.failed();
      return databaseWatch.isDown();
    },
    log: (event, ids) => logger.warn(ids, event),
    now,
    random: Math.random,
  });
  const times = timesInForce(settings, createSettingsProvider(database.settings, now));
  const announcer = createAnnouncer({
    announcements,
    proposals,
    alerts,
    databaseWatch,
    metrics,
    logger,
    now,
  });
  const retryPolicy = (operation: RetryOperation) => control.policy(operation);
  const shared = { database, wechatpay, times, outages, metrics, now };
  return { ...shared, decideRetry, retryPolicy, announcer };
}

async function main(): Promise<void> {
  if (isCheck()) process.exit(await checkStart(openConfigured));
  const settings = loadSettings();
  const logger = createLogger({ level: settings.logLevel, service: 'worker' });
  Runtime.install({ logger: createTemporalLogger(logger), shutdownSignals: [] });
  const stopping = new AbortController();
  onStopSignals({
    signals: ['SIGTERM', 'SIGINT'],
    stop: (signal) => {
      logger.info({ signal }, 'worker.stopping');
      stopping.abort();
    },
    onOverdue: () => logger.error('worker.stop_overdue'),
  });
  const { database, wechatpay, announcer, metrics, ...parts } = compose(settings, logger);
  const stopFindings = logFindings(settings, database, logger);
  let running: Worker[] = [];
  const health = await startHealthServer(
    settings,
    () =>
      running.length > 0 && running.every((worker) => worker.getState() === 'RUNNING')
        ? { task_queues: running.map((worker) => worker.options.taskQueue) }
        : null,
    metrics.registry,
  );
  const announcing = announcer.run(stopping.signal);
  while (!stopping.signal.aborted) {
    try {
      await serve({
        settings,
        logger,
        patrolIntervalMs: parts.times.patrolIntervalMs,
        stopping: stopping.signal,
        async create(connection) {
          const shared = { settings, connection, database, wechatpay, logger };
          running = await createWorkers({ ...shared, ...parts });
          return running;
        },
      });
    } catch (error) {
      logger.error({ err: error }, 'worker.failed');
    }
    running = [];
    await sleep(RESTART_PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => 'stopped');
  }
  stopFindings();
  await health.stop();
  await announcing;
  await Promise.all([wechatpay.end(), database.end()]);
  logger.info('worker.stopped');
}

/** The times from the environment, or those by which operators have overridden them. */
function timesInForce(settings: Settings, overrides: Cached<RuntimeOverrides>): TimesInForce {
  return {
    queryGapsMs: async () => (await overrides.current()).query_schedule ?? settings.queryGapsMs,
    refundSpacingMs: async () =>
      (await overrides.current()).refund_spacing ?? settings.refundSpacingMs,
    patrolIntervalMs: async () =>
      (await overrides.current()).patrol_interval ?? settings.patrolIntervalMs,
  };
}

/**
 * Serves until it has to stop.
 * @throws when Temporal can't be reached, or when a worker fails
 */
async function serve(options: {
  readonly settings: Settings;
  readonly logger: Logger;
  readonly patrolIntervalMs: () => Promise<number>;
  readonly stopping: AbortSignal;
  readonly create: (connection: NativeConnection) => Promise<Worker[]>;
}): Promise<void> {
  const { settings, logger, patrolIntervalMs, stopping, create } = options;
  const { namespace } = settings.temporal;
  const connection = await NativeConnection.connect(settings.temporal.connection);
  try {
    const ensure = async () => {
      if (await ensureNamespace(connection, namespace)) {
        logger.warn({ namespace }, 'namespace.registered');
      }
      const registered = await ensureSearchAttributes(connection, namespace);
      if (registered.length > 0) logger.warn({ registered }, 'search_attributes.registered');
    };
    await ensure();
    const workers = await create(connection);
    const schedule = { connection, namespace, intervalMs: patrolIntervalMs, logger };
    const leaveSchedules = [
      keepPatrolSchedule(schedule),
      keepReconciliationSchedule({ connection, namespace, at: settings.reconcileAt, logger }),
    ];
    const check = setInterval(() => {
      ensure().catch((error: unknown) => logger.warn({ err: error }, 'search_attributes.unknown'));
    }, SEARCH_ATTRIBUTE_CHECK_MS);
    logger.info({ namespace }, 'worker.running');
    try {
      await runWorkers(workers, stopping);
    } finally {
      clearInterval(check);
      for (const leave of leaveSchedules) leave();
    }
  } finally {
    // A worker that doesn't end holds the connection: then both are left behind.
    await connection.close().catch((error: unknown) => {
      logger.warn({ err: error }, 'temporal.connection_left');
    });
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof ConfigurationError;
    process.stderr.write(`${known ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
