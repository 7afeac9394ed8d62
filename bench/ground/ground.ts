// Starts the servers and stubs that each measurement runs on.
import { randomDigits, createKeyPair } from '../../simulator/wechatpay/keys/crypto';
import {
  createMerchantCredentials,
  wechatpayEnvironment,
  type MerchantCredentials,
} from '../../simulator/wechatpay/keys/credentials';
import { createOncepay, type Oncepay } from '../../stack/oncepay';
import { freePort } from '../../stack/processes/free-port';
import { startStack, type Managed, type Stack } from '../../stack/stack';
import { randomBytes } from 'node:crypto';
import type { OutsideWorldConfig } from './outside-world';
import type { Platform } from './signed-callbacks';
import { createStubControl, type StubControl } from './stub-control';

const TEMPLATE = 'bench_template';
/** Longer than a measurement, so that no order is queried while it is measured, on both sides. */
export const QUERY_GAP_MS = 30 * 60_000;

/**
 * The base of each measurement: durable Postgres, Temporal, and one stub for WeChat and the shop.
 */
export interface Ground {
  readonly stack: Stack;
  readonly credentials: MerchantCredentials;
  readonly platform: Platform;
  /** Switches WeChat off and on. */
  readonly stub: StubControl;
  /** Namespaces of this run alone; each has one kind of worker. */
  readonly namespaces: { readonly real: string; readonly bare: string };
  /** Creates a database with every migration applied. */
  createDatabase(name: string): Promise<string>;
  /** Starts a script of this folder and waits until it replies at its port. */
  startScript(script: string, config: object & { readonly port: number }): Promise<Managed>;
  /**
   * @param temporalAddress an address without a listener simulates a Temporal server that is down
   */
  createOncepay(databaseUrl: string, temporalAddress?: string): Promise<Oncepay>;
}

async function startOutsideWorld(
  startScript: Ground['startScript'],
  platform: Platform,
  { appId, merchantId }: MerchantCredentials,
): Promise<string> {
  const port = await freePort();
  const privateKeyPem = platform.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { keyId } = platform;
  const config: OutsideWorldConfig = { port, keyId, privateKeyPem, appId, merchantId };
  await startScript(require.resolve('./outside-world'), config);
  return `http://127.0.0.1:${port}`;
}

async function createPlatform(): Promise<Platform> {
  const { privateKey, publicKey } = await createKeyPair();
  return {
    keyId: `PUB_KEY_ID_01${randomDigits(24)}`,
    privateKey,
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

async function createTemplate(stack: Stack): Promise<void> {
  const env = { DATABASE_URL: await stack.createDatabase(TEMPLATE) };
  const migration = await stack.spawn('migrate', { script: 'dist/cli/migrate.js', env });
  if ((await migration.exited) !== 0) throw new Error(await migration.output());
}

/**
 * Creates the template database and starts the stub.
 * @param stack from {@link startStack}, with Postgres and Temporal
 */
export async function prepareGround(
  stack: Stack,
  namespaces: Ground['namespaces'],
): Promise<Ground> {
  await createTemplate(stack);
  const [credentials, platform] = await Promise.all([
    createMerchantCredentials(),
    createPlatform(),
  ]);
  let scripts = 0;
  const startScript: Ground['startScript'] = (script, config) => {
    scripts += 1;
    return stack.spawn(`bench-${scripts}`, {
      script,
      argv: [JSON.stringify(config)],
      env: {},
      ready: { url: `http://127.0.0.1:${config.port}/readyz` },
    });
  };
  const outsideUrl = await startOutsideWorld(startScript, platform, credentials);
  const publicKeyOf = () => ({ id: platform.keyId, pem: platform.publicKeyPem });
  return {
    stack,
    credentials,
    platform,
    stub: createStubControl(outsideUrl),
    namespaces,
    createDatabase: (name) => stack.createDatabase(name, TEMPLATE),
    startScript,
    createOncepay: (databaseUrl, temporalAddress = stack.temporalAddress) =>
      createOncepay({
        stack,
        databaseUrl,
        temporalAddress,
        temporalNamespace: namespaces.real,
        wechatpay: (notifyUrl) =>
          wechatpayEnvironment({ url: outsideUrl, publicKeyOf }, credentials, notifyUrl),
        env: {
          ONCEPAY_QUERY_SCHEDULE: `${QUERY_GAP_MS / 60_000}m`,
          ONCEPAY_PAYMENT_WINDOW: '2h',
          ONCEPAY_WEBHOOK_URL: `${outsideUrl}/webhooks`,
          ONCEPAY_WEBHOOK_SECRET: `whsec_${randomBytes(24).toString('base64')}`,
        },
      }),
  };
}

/**
 * Starts Postgres with fsync on, and an in-memory Temporal (or uses the one that TEMPORAL_ADDRESS
 * names).
 */
export async function startGround(log: (line: string) => void): Promise<Ground> {
  const own = randomBytes(3).toString('hex');
  const namespaces = { real: `bench-real-${own}`, bare: `bench-bare-${own}` };
  const stack = await startStack({ temporal: { namespaces: Object.values(namespaces) }, log });
  try {
    return await prepareGround(stack, namespaces);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
