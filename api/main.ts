// The api's composition root: makes its parts, starts the server and stops it.
import { createLogger, type Logger } from '../config/logger';
import { migrationsDir } from '../config/paths';
import { ConfigurationError, loadSettings, type Settings } from '../config/settings';
import { openDatabase, type Database } from '../database/database';
import { createHourlyAlerts } from '../database/interventions/hourly-alerts';
import { createLoggedAlerts } from '../domain/interventions/alert';
import { createInboxWriter } from '../database/inbox/inbox-writer';
import { createSettingsProvider } from '../database/settings/runtime-settings';
import { createWechatPayClient, type WechatPayClient } from '../providers/wechatpay/client';
import { createApp } from './app';
import { createCallbackHandler } from './callbacks/callback-handler';
import { createDeliveryLog } from './callbacks/delivery-log';
import { createBreaker } from './dispatcher/breaker';
import { createDispatcher } from './dispatcher/dispatcher';
import { createSweep } from './dispatcher/sweep';
import { createAuthentication } from './http/auth';
import { createBesideDatabase } from './http/deadline';
import { createMetrics, type Metrics } from './health/metrics';
import { createOutages } from '../database/retries/report-outages';
import { createPatrolMetrics } from './patrol/metrics';
import { createPatrolWatch } from './patrol/watch-patrol';
import type { Operation } from './http/operations';
import { createPayments } from './orders/pay-parameters';
import { createReadiness } from './health/readiness';
import { callbackDeliveryOperations } from './callbacks/routes';
import { orderOperations } from './orders/routes';
import { interventionOperations, resolutionApproval } from './interventions/routes';
import { patrolOperations } from './patrol/routes';
import { pointsOperations } from './products/points-routes';
import { productOperations } from './products/routes';
import { proposalOperations } from './proposals/routes';
import { sharingApproval, sharingOperations } from './sharing/routes';
import { refundApproval, refundOperations } from './refunds/routes';
import { retryPolicyApproval, retryPolicyOperations } from './retries/routes';
import { settingApproval, settingOperations } from './settings/routes';
import { listen, stopListening } from './http/server';
import { connectTemporal } from './temporal/connection';
import { createOrderRuns, type OrderRuns } from './temporal/order-runs';
import { createPatrolSchedule } from './temporal/patrol-schedule';
import { createWakeOrLeaveToSweep } from './temporal/wake-later';

/** WeChat's platform certificates change every few years; the new ones are in the list before. */
const CERTIFICATE_REFRESH_MS = 12 * 3_600_000;

/** Opens the database, and the pool of the inbox beside it. */
function composeStores(settings: Settings, logger: Logger) {
  const stores = {
    url: settings.databaseUrl,
    encryptionKeys: settings.encryptionKeys,
    hashKey: settings.hashKey,
    onIdleError: (error: Error) => logger.warn({ err: error }, 'database.connection_lost'),
  };
  const { notifyUrl } = settings.wechatpay;
  const { sharing, twoPersonFen } = settings;
  const webhooks = settings.webhook !== null;
  return {
    database: openDatabase({ ...stores, webhooks, notifyUrl, sharing, twoPersonFen }),
    inbox: createInboxWriter(stores),
  };
}

/** Makes the parts of the api; `end` stops them. */
function compose(settings: Settings, logger: Logger) {
  const now = Date.now;
  const { database, inbox } = composeStores(settings, logger);
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
  const { metrics, sweep, dispatcher, deliveries, temporalIsUp } = composeAfterReply({
    database,
    temporal,
    runs,
    logger,
    now,
  });
  const { registry } = metrics;
  const watched = { settings, database, temporal, temporalIsUp, registry, logger, now };
  const patrolWatch = composePatrol(watched);
  const app = createApp({
    operations: composeOperations({ settings, database, runs, wechatpay, metrics, now }),
    authenticate: createAuthentication(settings.apiKeys),
    callback: createCallbackHandler({
      wechatpay,
      inbox,
      merchantId: settings.wechatpay.merchantId,
      wakeOrder: (id, outTradeNo) => dispatcher.wakeOrder(id, outTradeNo),
      wakeSharing: (outOrderNo) => dispatcher.wakeSharing(outOrderNo),
      hourlyAlerts: hourlyAlerts(database, logger, now),
      deliveries,
      metrics,
      logger,
      now,
    }),
    readiness: createReadiness({
      health: database.health,
      migrationsDir: migrationsDir(),
      temporal: () => temporal.health(),
      now,
    }),
    metrics,
    logger,
  });
  return {
    app,
    sweep,
    patrolWatch,
    wechatpay,
    async end(): Promise<void> {
      await Promise.all([sweep.stop(), patrolWatch.stop(), dispatcher.stop(), deliveries.stop()]);
      await Promise.all([inbox.end(), wechatpay.end(), temporal.close(), database.end()]);
    },
  };
}

function hourlyAlerts({ alertMarks: marks }: Database, logger: Logger, now: () => number) {
  return createHourlyAlerts({ marks, alerts: createLoggedAlerts(logger), now });
}

/** Makes the patrol's metric and the watch over its schedule. */
function composePatrol(deps: {
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
  const overrides = createSettingsProvider(database.settings, now);
  return createPatrolWatch({
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
  const besideDatabase = createBesideDatabase(() => database.health.ping());
  const payments = createPayments({ ...deps, besideDatabase });
  const wakeOrLeaveToSweep = createWakeOrLeaveToSweep(deps.metrics.signals);
  const movements = { database, runs, wakeOrLeaveToSweep, now };
  const interventions = { database, runs, besideDatabase, now };
  const changes = { database, settings, forget: () => overrides.forget(), now };
  return [
    ...orderOperations({ database, payments, runs, besideDatabase, settings, overrides, now }),
    ...refundOperations(movements),
    ...sharingOperations(movements),
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
        resolution: resolutionApproval(interventions),
      },
      now,
    }),
    ...patrolOperations(database),
    ...callbackDeliveryOperations(database),
  ];
}

/**
 * Makes the parts that work after the reply to a callback: they wake its run, log it and count it.
 */
function composeAfterReply(deps: {
  database: Database;
  temporal: ReturnType<typeof connectTemporal>;
  runs: OrderRuns;
  logger: Logger;
  now: () => number;
}) {
  const { database, temporal, runs, logger, now } = deps;
  const alerts = createLoggedAlerts(logger);
  const { dependencies, overdue } = database;
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
  const sweep = createSweep({ overdue, runs, breaker, outages, ping, logger, now });
  return {
    metrics,
    sweep,
    temporalIsUp: () => breaker.state() === 'closed',
    dispatcher: createDispatcher({ runs, breaker, sweep, metrics, logger }),
    deliveries: createDeliveryLog({
      append: (batch) => database.callbackDeliveries.append(batch),
      metrics,
      logger,
      now,
    }),
  };
}

async function main(): Promise<void> {
  const settings = loadSettings();
  const logger = createLogger({ level: settings.logLevel, service: 'api' });
  const parts = compose(settings, logger);
  const { app, sweep, patrolWatch, wechatpay } = parts;
  const server = await listen(app, settings.port);
  logger.info({ port: settings.port }, 'api.listening');
  void wechatpay.warmUp();
  const refresh = setInterval(() => void wechatpay.refreshCertificates(), CERTIFICATE_REFRESH_MS);
  sweep.start();
  patrolWatch.start();

  const stop = async () => {
    logger.info('api.stopping');
    clearInterval(refresh);
    await stopListening(server);
    await parts.end();
    logger.info('api.stopped');
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      stop().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}

main().catch((error: unknown) => {
  const known = error instanceof ConfigurationError;
  process.stderr.write(`${known ? error.message : String(error)}\n`);
  process.exit(1);
});
