// Starts and stops everything the demo runs: servers, simulator, api and worker.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import {
  createMerchantCredentials,
  merchantFor,
  wechatpayEnvironment,
} from '../simulator/wechatpay/keys/credentials';
import { startSimulator } from '../simulator/wechatpay/server';
import { createOncepay, type Oncepay } from '../stack/oncepay';
import { startStack, type Managed, type Stack } from '../stack/stack';
import { createOperatorDesk } from './operator-desk';
import { createShop } from './shop';
import { startWebhookReceiver } from './webhook-receiver';
import type { World } from './world';

/** The payment window of the order that nobody pays. */
const SHORT_WINDOW = '8s';
/**
 * The first query comes soon, for the payment whose callback gets lost; the others come at about
 * their usual times.
 */
const QUERY_SCHEDULE = '4s,30s,1m,2m,5m,10m';
/** Often enough to see a run, and seldom enough that the Web UI shows other things too. */
const PATROL_INTERVAL = '10s';
/** WeChat wants a minute between two refunds of one payment, which is long to watch. */
const REFUND_SPACING = '1s';
/** Oncepay shares nothing in the minute after a payment, which is long to watch too. */
const SHARING_DELAY = '1s';
/**
 * A stop in the middle of the start waits this long; after that the stack's guardian stops the
 * rest.
 */
const START_GRACE_MS = 10_000;

/** A part that can't be stopped must not keep the others running; the guardian ends it. */
const goOnStopping = () => undefined;

/** Stops one thing that was started. */
type Undo = () => Promise<unknown>;

export interface Demo {
  /** Resolves when everything runs; rejects with a sentence that names the missing part. */
  readonly started: Promise<World>;
  /** Stops everything, also in the middle of the start; leaves no process behind. */
  stop(): Promise<void>;
}

async function migrate(stack: Stack, databaseUrl: string): Promise<void> {
  const env = { DATABASE_URL: databaseUrl };
  const migration = await stack.spawn('migrate', { script: 'dist/cli/migrate.js', env });
  if ((await migration.exited) === 0) return;
  throw new Error(`The migrations failed: ${(await migration.output()).trim()}`);
}

async function startServers(
  namespace: string,
  log: (line: string) => void,
  undo: Undo[],
): Promise<Stack> {
  log('Starting Postgres, and Temporal with its Web UI …');
  const temporal = { persistent: true, ui: true, namespaces: [namespace] };
  const starting = startStack({ temporal, log });
  undo.push(() => Promise.race([starting.then((stack) => stack.stop()), delay(START_GRACE_MS)]));
  return starting;
}

interface Workers {
  readonly start: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

function manageWorker(oncepay: Oncepay): Workers {
  let worker: Managed | null = null;
  return {
    async start() {
      worker = await oncepay.startWorker();
    },
    async kill() {
      await worker?.kill('SIGKILL');
      worker = null;
    },
  };
}

async function startAll(log: (line: string) => void, undo: Undo[]): Promise<World> {
  // A new namespace: the demo's worker must not take work of another Oncepay on a shared Temporal.
  const namespace = `oncepay-demo-${randomBytes(3).toString('hex')}`;
  const stack = await startServers(namespace, log, undo);
  log('Creating the database and running the migrations …');
  const databaseUrl = await stack.createDatabase('oncepay');
  await migrate(stack, databaseUrl);

  log('Starting the WeChat Pay simulator and a receiver of webhooks …');
  const credentials = await createMerchantCredentials();
  const simulator = await startSimulator({ merchants: [merchantFor(credentials)] });
  undo.push(simulator.close);
  simulator.setSharingRules({ shareableAfterMs: 0 });
  const webhooks = await startWebhookReceiver();
  undo.push(() => webhooks.close());

  log('Starting Oncepay’s api and worker …');
  const oncepay = await createOncepay({
    stack,
    databaseUrl,
    temporalAddress: stack.temporalAddress,
    temporalNamespace: namespace,
    wechatpay: (notifyUrl) => wechatpayEnvironment(simulator, credentials, notifyUrl),
    env: {
      ONCEPAY_WEBHOOK_URL: webhooks.url,
      ONCEPAY_WEBHOOK_SECRET: webhooks.secret,
      ONCEPAY_QUERY_SCHEDULE: QUERY_SCHEDULE,
      ONCEPAY_PATROL_INTERVAL: PATROL_INTERVAL,
      ONCEPAY_REFUND_SPACING: REFUND_SPACING,
      ONCEPAY_SHARING_DELAY: SHARING_DELAY,
    },
  });
  const worker = manageWorker(oncepay);
  await Promise.all([oncepay.startApi(), worker.start()]);
  const shortWindow = await oncepay.startApi({ ONCEPAY_PAYMENT_WINDOW: SHORT_WINDOW });

  const { temporalUiUrl: uiUrl } = stack;
  const connection = await Connection.connect({ address: stack.temporalAddress });
  undo.push(() => connection.close());
  return {
    stack,
    oncepay,
    shop: createShop(oncepay),
    desk: createOperatorDesk(oncepay),
    simulator,
    webhooks,
    temporal: new Client({ connection, namespace }),
    webUiUrl: uiUrl === null ? null : `${uiUrl}/namespaces/${namespace}/workflows`,
    shortWindowPort: shortWindow.port,
    killWorker: worker.kill,
    startWorker: worker.start,
  };
}

/**
 * Starts everything on this machine, on free ports.
 * @param log gets a line for each step
 */
export function startDemo(log: (line: string) => void): Demo {
  const undo: Undo[] = [];
  return {
    started: startAll(log, undo),
    async stop() {
      // In the order of the start: Oncepay's processes end before the simulator they call.
      for (const one of undo.splice(0)) await one().catch(goOnStopping);
    },
  };
}
