// The api's composition root: makes its parts, starts the server and stops it.
import type { IncomingMessage } from 'node:http';
import { createLogger, type Logger } from '../config/logger';
import { migrationsDir } from '../config/paths';
import { ConfigurationError, loadSettings, type Settings } from '../config/settings';
import { onStopSignals } from '../config/stop-signals';
import { LOCK_TIMEOUT_MS } from '../database/connections/limit-row-waits';
import type { Database } from '../database/database';
import { createHourlyAlerts } from '../database/interventions/hourly-alerts';
import { createLoggedAlerts } from '../domain/interventions/alert';
import { createInboxWriter } from '../database/inbox/inbox-writer';
import { createSettingsProvider } from '../database/settings/runtime-settings';
import { createWechatPayClient, type WechatPayClient } from '../providers/wechatpay/client';
import { createAdmission } from './admission/admission';
import { outsidePlace } from './admission/places';
import { createApp } from './app';
import { createCallbackHandler } from './callbacks/callback-handler';
import { createDeliveryLog } from './callbacks/delivery-log';
import { createBreaker } from './dispatcher/breaker';
import { createDispatcher } from './dispatcher/dispatcher';
import { createBacklogFollower } from './dispatcher/follow-backlog';
import { createSweep } from './dispatcher/sweep';
import { createAuthentication } from './http/auth';
import { createBesideDatabase, type BesideDatabase } from './http/deadline';
import { createMetrics, type Metrics } from './health/metrics';
import { createOutages } from '../database/retries/report-outages';
import { createPatrolMetrics } from './patrol/metrics';
import { createPatrolWatch } from './patrol/watch-patrol';
import type { Operation } from './http/operations';
import { createPayments } from './orders/pay-parameters';
import { createReadiness } from './health/readiness';
import { checkStart, isCheck, logFindings } from './health/start-findings';
import { callbackDeliveryOperations } from './callbacks/routes';
import { orderOperations } from './orders/routes';
import { interventionOperations, resolutionApproval } from './interventions/routes';
import { patrolOperations } from './patrol/routes';
import { pointsOperations } from './products/points-routes';
import { productOperations } from './products/routes';
import { proposalOperations } from './proposals/routes';
import { receiverApproval, receiverOperations } from './sharing/receiver-routes';
import { sharingApproval, sharingOperations } from './sharing/routes';
import { createReconciliationMetrics } from './reconciliations/metrics';
import { reconciliationOperations } from './reconciliations/routes';
import { refundApproval, refundOperations } from './refunds/routes';
import { retryPolicyApproval, retryPolicyOperations } from './retries/routes';
import { settingApproval, settingOperations } from './settings/routes';
import { createStatisticsKeeper } from './statistics/keep-rolled-up';
import { statisticsOperations } from './statistics/routes';
import { ApiError } from './http/problem';
import { listen } from './http/server';
import { connectTemporal } from './temporal/connection';
import { loggedEvents, openConfigured } from './open-database';
import { createOrderRuns, type OrderRuns } from './temporal/order-runs';
import { createPatrolSchedule } from './temporal/patrol-schedule';
import { createWakeOrLeaveToSweep } from './temporal/wake-later';

/** WeChat's platform certificates change every few years; the new ones are in the list before. */
const CERTIFICATE_REFRESH_MS = 12 * 3_600_000;

/** Makes the parts of the api; `end` stops them. */
function compose(settings: Settings, logger: Logger) {
  const now = Date.now;
  const events = loggedEvents(logger);
  const database = openConfigured(settings, { ...events, lockTimeoutMs: LOCK_TIMEOUT_MS });
  const inbox = createInboxWriter({
    url: settings.databaseUrl,
    encryptionKeys: settings.encryptionKeys,
    hashKey: settings.hashKey,
    onIdleError: events.onIdleError,
  });
  const wechatpay = createWechatPayClient({
    ...settings.wechatpay,
    publicKey: settings.wechatpay.publicKey ?? undefined,
    now,
    onEvent: ({ event, ...ids }) => logger.info(ids, event),
  });
  const temporal = connectTemporal(settings.temporal);
  const runs = createOrderRuns({
    client: temporal.client,
    onFailure: (error, outTradeNo) => logger.warn({ err: error, outTradeNo }, 'temporal.no_answer'),
    claimRunToEnd: database.resolutions.claimRunToEnd,
  });
  const roles = settings.apiRoles;
  const afterReply = composeAfterReply({ roles, database, temporal, runs, logger, now });
  const { metrics, sweep, dispatcher, deliveries, temporalIsUp } = afterReply;
  const { registry } = metrics;
  const watched = { settings, database, temporal, temporalIsUp, registry, logger, now };
  const watches = composeWatches(watched);
  const app = createApp({
    operations: roles.has('api')
      ? composeOperations({ settings, database, runs, wechatpay, metrics, now })
      : null,
    authenticate: createAuthentication(settings.apiKeys),
    callback: roles.has('callbacks')
      ? createCallbackHandler({
          ...dispatcher,
          wechatpay,
          inbox,
          merchantId: settings.wechatpay.merchantId,
          hourlyAlerts: hourlyAlerts(database, logger, now),
          deliveries,
          metrics,
          logger,
          now,
        })
      : null,
    readiness: composeReadiness({ settings, database, temporal, now }),
    metrics,
    unreadable: database.unreadable,
    logger,
  });
  const stopFindings = logFindings(settings, database, logger);
  return {
    app,
    wechatpay,
    /** Starts what runs beside the requests. */
    start(): void {
      if (!roles.has('ops')) return;
      sweep.start();
      watches.start();
    },
    async end(): Promise<void> {
      stopFindings();
      afterReply.follower.stop();
      await Promise.all([sweep, watches, dispatcher, deliveries].map((part) => part.stop()));
      await Promise.all([inbox.end(), wechatpay.end(), temporal.close(), database.end()]);
    },
  };
}

/** Makes the checks of `/readyz`. */
function composeReadiness(deps: {
  settings: Settings;
  database: Database;
  temporal: ReturnType<typeof connectTemporal>;
  now: () => number;
}) {
  const { settings, database, temporal, now } = deps;
  return createReadiness({
    health: database.health,
    missingKeys: database.missingKeys,
    migrationsDir: migrationsDir(),
    temporal: () => temporal.health(),
    marks: database.alertMarks,
    wechatpayHost: new URL(settings.wechatpay.baseUrl).host,
    now,
  });
}

function hourlyAlerts({ alertMarks: marks }: Database, logger: Logger, now: () => number) {
  return createHourlyAlerts({ marks, alerts: createLoggedAlerts(logger), now });
}

/**
 * Makes the metrics of patrol and reconciliation, the watch over the patrol's schedule, and what
 * keeps the statistics up to date.
 */
function composeWatches(deps: {
  settings: Settings;
  database: Database;
  temporal: ReturnType<typeof connectTemporal>;
  temporalIsUp: () => boolean;
  registry: Metrics['registry'];
  logger: Logger;
  now: () => number;
}) {
  const { settings, database, temporal, temporalIsUp, registry, logger, now } = deps;
  const { patrol } = database;
  createPatrolMetrics({ registry, lastFinishedAt: () => patrol.lastFinishedAt(), now });
  const { openByType } = database.reconciliations;
  createReconciliationMetrics({ registry, openByType });
  const overrides = createSettingsProvider(database.settings, now);
  const statistics = createStatisticsKeeper({ statistics: database.statistics, logger, now });
  const patrolWatch = createPatrolWatch({
    patrol,
    marks: database.alertMarks,
    schedule: createPatrolSchedule(temporal.client.schedule),
    intervalMs: async () =>
      (await overrides.current()).patrol_interval ?? settings.patrolIntervalMs,
    temporalIsUp,
    hourlyAlerts: hourlyAlerts(database, logger, now),
    logger,
    now,
  });
  const parts = [patrolWatch, statistics];
  return {
    start: () => parts.forEach((part) => part.start()),
    stop: () => Promise.all(parts.map((part) => part.stop())),
  };
}

/** Makes the operations under `/v1`. */
function composeOperations(deps: {
  settings: Settings;
  database: Database;
  runs: OrderRuns;
  wechatpay: WechatPayClient;
  metrics: Pick<Metrics, 'signals'>;
  now: () => number;
}): Operation[] {
  const { settings, database, runs, now } = deps;
  const overrides = createSettingsProvider(database.settings, now);
  const waitBeside = createBesideDatabase(() => database.health.ping());
  const besideDatabase: BesideDatabase = (work) => outsidePlace(waitBeside(work));
  const payments = createPayments({ ...deps, besideDatabase });
  const wakeOrLeaveToSweep = createWakeOrLeaveToSweep(deps.metrics.signals);
  const movements = { database, runs, wakeOrLeaveToSweep, now };
  const interventions = { database, runs, besideDatabase, now };
  const changes = { database, settings, forget: () => overrides.forget(), now };
  return [
    ...orderOperations({ database, payments, runs, besideDatabase, settings, overrides, now }),
    ...refundOperations(movements),
    ...sharingOperations(movements),
    ...receiverOperations({ database, now }),
    ...productOperations(database),
    ...pointsOperations(database),
    ...interventionOperations(interventions),
    ...retryPolicyOperations(changes),
    ...settingOperations(changes),
    ...proposalOperations({
      database,
      approvables: {
        refund: refundApproval(movements),
        profit_sharing: sharingApproval(movements),
        setting: settingApproval(changes),
        retry_policy: retryPolicyApproval(changes),
        receiver: receiverApproval({ database, now }),
        resolution: resolutionApproval(interventions),
      },
      now,
    }),
    ...patrolOperations(database),
    ...reconciliationOperations(movements),
    ...callbackDeliveryOperations(database),
    ...statisticsOperations({ database, now }),
  ];
}

/**
 * Makes the parts that work after the reply to a callback: they wake its run, log it and count it.
 */
function composeAfterReply(deps: {
  roles: Settings['apiRoles'];
  database: Database;
  temporal: ReturnType<typeof connectTemporal>;
  runs: OrderRuns;
  logger: Logger;
  now: () => number;
}) {
  const { roles, database, temporal, runs, logger, now } = deps;
  const alerts = createLoggedAlerts(logger);
  const { dependencies, overdue, reconciliations } = database;
  const outages = createOutages({ alerts, dependencies, logger, now });
  const breaker = createBreaker({
    now,
    logger,
    onState: (state) => {
      // When the database is away too, the next probe notes the state.
      outages
        .report('temporal', state, {})
        .catch((error: unknown) => logger.warn({ err: error }, 'dependency.not_noted'));
    },
  });
  const ping = () => temporal.ping();
  const metrics = createMetrics({
    inbox: () => database.inbox.open(),
    interventions: () => database.interventions.openByReason(),
    temporalUp: async () => breaker.state() === 'closed' && (await ping().then(() => true)),
    now,
  });
  const marks = database.alertMarks;
  const rows = { overdue, reconciliations, marks };
  const sweep = createSweep({ ...rows, runs, breaker, outages, ping, logger, now });
  const follower = createBacklogFollower({ overdue, breaker, ping, logger, now });
  const backlog = roles.has('ops') ? sweep : follower;
  return {
    metrics,
    sweep,
    temporalIsUp: () => breaker.state() === 'closed',
    follower,
    dispatcher: createDispatcher({ runs, breaker, sweep: backlog, metrics, logger }),
    deliveries: createDeliveryLog({
      append: (batch) => database.callbackDeliveries.append(batch),
      metrics,
      logger,
      now,
    }),
  };
}

/** The name of the API key that a request was sent with; null without a valid one. */
function nameOfKey(
  authenticate: ReturnType<typeof createAuthentication>,
  request: IncomingMessage,
): string | null {
  try {
    return authenticate(request).name;
  } catch (error) {
    if (error instanceof ApiError) return null;
    throw error;
  }
}

async function main(): Promise<void> {
  if (isCheck()) process.exit(await checkStart(openConfigured));
  const settings = loadSettings();
  const logger = createLogger({ level: settings.logLevel, service: 'api' });
  const parts = compose(settings, logger);
  const { app, wechatpay } = parts;
  const authenticate = createAuthentication(settings.apiKeys);
  const admission = createAdmission((request) => nameOfKey(authenticate, request));
  const listening = await listen(app, settings, admission);
  logger.info({ port: settings.port, roles: [...settings.apiRoles] }, 'api.listening');
  void wechatpay.warmUp();
  const refresh = setInterval(() => void wechatpay.refreshCertificates(), CERTIFICATE_REFRESH_MS);
  parts.start();

  const stop = async () => {
    logger.info('api.stopping');
    clearInterval(refresh);
    await listening.stop();
    await parts.end();
    logger.info('api.stopped');
  };
  onStopSignals({
    signals: ['SIGTERM', 'SIGINT'],
    stop: () => {
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    },
    onOverdue: () => logger.error('api.stop_overdue'),
  });
}

main().catch((error: unknown) => {
  const known = error instanceof ConfigurationError;
  process.stderr.write(`${known ? error.message : String(error)}\n`);
  process.exit(1);
});
