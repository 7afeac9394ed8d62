import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import {
  createMerchantCredentials,
  merchantFor,
  wechatpayEnvironment,
} from '../simulator/credentials';
import { startSimulator } from '../simulator/server';
import { createOncepay, type Oncepay } from '../stack/oncepay';
import { startStack, type Managed, type Stack } from '../stack/stack';
import { createShop } from './shop';
import { startWebhookReceiver } from './webhook-receiver';
import type { World } from './world';

/** How long the order that nobody pays can be paid. */
const SHORT_WINDOW = '8s';
/** A stop that takes longer is left to the stack's guardian, which ends with this process. */
const START_GRACE_MS = 10_000;

/** What was started, newest first, as it has to be stopped. */
type Undo = () => Promise<unknown>;

export interface Demo {
  /** Resolves when everything runs. @throws one sentence that says what is missing */
  readonly started: Promise<World>;
  /** Stops what runs, also in the middle of the start; leaves no process behind. */
  stop(): Promise<void>;
}

async function migrate(stack: Stack, databaseUrl: string): Promise<void> {
  const env = { DATABASE_URL: databaseUrl };
  const migration = await stack.spawn('migrate', { script: 'dist/cli/migrate.js', env });
  if ((await migration.exited) === 0) return;
  throw new Error(`The migrations failed: ${(await migration.output()).trim()}`);
}

async function startServers(log: (line: string) => void, undo: Undo[]): Promise<Stack> {
  log('Postgres and Temporal (with its Web UI) …');
  const starting = startStack({ temporal: { persistent: true, ui: true }, log });
  const gaveUp = new Promise((resolve) => setTimeout(resolve, START_GRACE_MS).unref());
  undo.push(() => Promise.race([starting.then((stack) => stack.stop()), gaveUp]));
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
  const stack = await startServers(log, undo);
  log('The database and its migrations …');
  const databaseUrl = await stack.createDatabase('oncepay');
  await migrate(stack, databaseUrl);

  log('The WeChat Pay simulator and a receiver for webhooks …');
  const credentials = await createMerchantCredentials();
  const simulator = await startSimulator({ merchants: [merchantFor(credentials)] });
  undo.push(simulator.close);
  const webhooks = await startWebhookReceiver();
  undo.push(webhooks.close);

  log('Oncepay: api and worker …');
  const oncepay = await createOncepay({
    stack,
    databaseUrl,
    temporalAddress: stack.temporalAddress,
    wechatpay: (notifyUrl) => wechatpayEnvironment(simulator, credentials, notifyUrl),
    env: { ONCEPAY_WEBHOOK_URL: webhooks.url, ONCEPAY_WEBHOOK_SECRET: webhooks.secret },
  });
  const worker = manageWorker(oncepay);
  await Promise.all([oncepay.startApi(), worker.start()]);
  const shortWindow = await oncepay.startApi({ ONCEPAY_PAYMENT_WINDOW: SHORT_WINDOW });

  const connection = await Connection.connect({ address: stack.temporalAddress });
  undo.push(() => connection.close());
  return {
    stack,
    oncepay,
    shop: createShop(oncepay),
    simulator,
    webhooks,
    temporal: new Client({ connection }),
    webUiUrl: stack.temporalUiUrl,
    shortWindowPort: shortWindow.port,
    killWorker: worker.kill,
    startWorker: worker.start,
  };
}
