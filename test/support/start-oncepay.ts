// Starts a whole Oncepay for one test file: database, namespace, simulator and processes.
import { Client, Connection } from '@temporalio/client';
import { Pool } from 'pg';
import {
  createMerchantCredentials,
  merchantFor,
  wechatpayEnvironment,
  type MerchantCredentials,
} from '../../simulator/wechatpay/keys/credentials';
import type { PlatformKeyMode } from '../../simulator/wechatpay/options';
import { startSimulator } from '../../simulator/wechatpay/server';
import type { Simulator } from '../../simulator/wechatpay/control/simulator';
import { createOncepay, type Oncepay, type OncepayOptions, type Reply } from '../../stack/oncepay';
import { startStack, type Managed, type Stack } from '../../stack/stack';
import { createTestDatabase, type TestDatabase } from './test-database';
import { claimTestNamespace } from './test-temporal';
import { until } from './until';
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver';

/** A whole Oncepay for one test file: its own database, namespace, simulator and processes. */
export interface TestOncepay extends Oncepay {
  readonly stack: Stack;
  readonly simulator: Simulator;
  /** The merchant's, for what is done at WeChat without Oncepay. */
  readonly credentials: MerchantCredentials;
  readonly webhooks: WebhookReceiver;
  readonly temporal: Client;
  readonly sql: Pool;
  readonly apis: (Managed & { readonly port: number })[];
  readonly workers: (Managed & { readonly port: number })[];
  /**
   * Creates an order and waits until WeChat knows it, so that it can be paid: on a busy machine the
   * api replies before, with `payment: null`. @returns its number
   */
  newOrder(body?: Record<string, unknown>): Promise<string>;
  order(no: string): Promise<OrderView>;
  /** Waits until the order has this status and nothing of it is under way. */
  untilStatus(no: string, status: string, timeoutMs?: number): Promise<OrderView>;
  untilOrder(
    no: string,
    what: string,
    holds: (order: OrderView) => boolean,
    timeoutMs?: number,
  ): Promise<OrderView>;
  stop(): Promise<void>;
}

/** The reply of `GET /v1/orders/{no}`. */
export interface OrderView {
  readonly out_trade_no: string;
  readonly status: string;
  readonly amount: { total: number; currency: string; refunded: number };
  readonly expires_at: string;
  readonly transaction_id: string | null;
  readonly attention: { id: string; reason: string; open_count: number } | null;
  readonly history: { from: string | null; to: string; at: string; cause: string }[];
  readonly effects: {
    effect: string;
    status: string;
    done_at: string | null;
    error: string | null;
  }[];
  readonly deliveries: {
    id: string;
    kind: string;
    event: string;
    status: string;
    attempts: number;
  }[];
  readonly notices: { id: string; kind: string; verdict: string | null }[];
  readonly notices_total: number;
  readonly transactions: { transaction_id: string; status: string; amount: { total: number } }[];
  readonly refunds: {
    out_refund_no: string;
    amount: number;
    status: string;
    origin: string;
    replaces: string | null;
    transaction_id: string;
  }[];
  readonly codes?: {
    sku: string;
    code: string;
    used_at: string | null;
    revoked_at: string | null;
  }[];
}

export interface TestOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly mode?: PlatformKeyMode;
  /** See OncepayOptions. */
  readonly secondKeys?: OncepayOptions['secondKeys'];
  readonly apis?: number;
  /** Node runs as `npm run start:api` starts it: for tests that measure times. */
  readonly asInProduction?: true;
  readonly workers?: number;
  /** A Temporal server of its own, that the test may stop; `persistent` keeps its data then. */
  readonly ownTemporal?: { readonly persistent: boolean };
  /** Makes the database. Default: one with every migration applied. */
  readonly database?: () => Promise<TestDatabase>;
  /** Stands between Oncepay and its database. */
  readonly through?: (databaseUrl: string) => Promise<string>;
}

/**
 * Processes that live for some seconds never win back what V8 spends on optimizing their code. With
 * a larger young generation than in production, and all of V8's work in one thread, they need a
 * third less CPU time to start and to carry out their first thirty orders.
 */
const SHORT_LIVED = [
  '--max-semi-space-size=32',
  '--max-old-space-size=192',
  '--single-threaded',
  '--liftoff-only',
  '--no-opt',
];

/** Of the log of each process, when a test waits in vain. */
const LINES_SHOWN = 12;

let users = 0;

/** A user nobody else has: orders of different tests never look the same. */
export function someUser(): string {
  users += 1;
  return `user-${process.pid}-${users}`;
}

export async function startTestOncepay(options: TestOptions = {}): Promise<TestOncepay> {
  const stack = await startStack({
    postgres: false,
    temporal: options.ownTemporal ?? false,
    durable: false,
  });
  const database = await (options.database ?? createTestDatabase)();
  const { address, namespace } = options.ownTemporal
    ? { address: stack.temporalAddress, namespace: 'default' }
    : await claimTestNamespace();
  const credentials = await createMerchantCredentials();
  const simulator = await startSimulator({ merchants: [merchantFor(credentials, options.mode)] });
  const webhooks = await startWebhookReceiver();
  const databaseUrl = options.through ? await options.through(database.url) : database.url;
  const oncepay = await createOncepay({
    stack,
    databaseUrl,
    temporalAddress: address,
    temporalNamespace: namespace,
    ...(options.asInProduction ? {} : { nodeArgs: SHORT_LIVED }),
    ...(options.secondKeys && { secondKeys: options.secondKeys }),
    wechatpay: (notifyUrl) => wechatpayEnvironment(simulator, credentials, notifyUrl),
    env: {
      NODE_ENV: 'test',
      ONCEPAY_WEBHOOK_URL: webhooks.url,
      ONCEPAY_WEBHOOK_SECRET: webhooks.secret,
      ...options.env,
    },
  });
  const sql = new Pool({ connectionString: database.url, max: 3 });
  const connection = await Connection.connect({ address });
  const temporal = new Client({ connection, namespace });
  const [apis, workers] = await Promise.all([
    startAll(options.apis ?? 1, () => oncepay.startApi()),
    startAll(options.workers ?? 1, () => oncepay.startWorker()),
  ]);

  const order = async (no: string) => viewOf(await oncepay.call('GET', `/v1/orders/${no}`));
  const untilOrder: TestOncepay['untilOrder'] = async (no, what, holds, timeoutMs) => {
    let last: OrderView | null = null;
    try {
      return await until(
        what,
        async () => {
          last = await order(no);
          return holds(last) ? last : null;
        },
        timeoutMs,
      );
    } catch (error) {
      const said = await Promise.all([...apis, ...workers].map(describeProcess));
      const lines = [String(error), JSON.stringify(last), ...said];
      throw new Error(lines.join('\n'), { cause: error });
    }
  };

  return {
    ...oncepay,
    stack,
    simulator,
    credentials,
    webhooks,
    temporal,
    sql,
    apis,
    workers,
    order,
    untilOrder,
    async newOrder(body) {
      const answer = await oncepay.call('POST', '/v1/orders', { body: orderBody(body) });
      if (answer.status !== 201) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
      const { out_trade_no: no, payment } = answer.body as {
        out_trade_no: string;
        payment: object | null;
      };
      if (payment === null) await untilOrder(no, 'WeChat took the order', wasTakenByWechat);
      return no;
    },
    untilStatus: (no, status, timeoutMs) =>
      untilOrder(
        no,
        `${no} is ${status}`,
        (seen) => seen.status === status && seen.deliveries.every((d) => d.status !== 'pending'),
        timeoutMs,
      ),
    async stop() {
      await connection.close();
      await stack.stop();
      await Promise.all([simulator.close(), webhooks.close(), sql.end()]);
      await database.drop();
    },
  };
}

/** Says how a process ended, if it did, and its last warnings and errors. */
async function describeProcess(managed: Managed): Promise<string> {
  const { name, exited } = managed;
  const code = await Promise.race([exited, Promise.resolve('runs' as const)]);
  const state = code === 'runs' ? code : `ended with ${code === null ? 'a signal' : code}`;
  const text = await managed.output().catch(() => '');
  const worth = text
    .split('\n')
    .filter((line) => line !== '' && !/^\{"level":"?(10|20|30|trace|debug|info)\b/.test(line));
  return [`${name} ${state}`, ...worth.slice(-LINES_SHOWN)].join('\n');
}

async function startAll<T>(count: number, start: () => Promise<T>): Promise<T[]> {
  const started: T[] = [];
  for (let index = 0; index < count; index += 1) started.push(await start());
  return started;
}

function wasTakenByWechat({ status }: OrderView): boolean {
  return status !== 'created';
}

/** A valid order; what is given replaces what is here. */
export function orderBody(body: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    channel: 'admin',
    user_id: someUser(),
    description: 'A T-shirt',
    items: [{ sku: 'shirt', quantity: 2, unit_price: 150 }],
    amount: { total: 300, currency: 'CNY' },
    ...body,
  };
}

function viewOf({ status, body }: Reply): OrderView {
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body as unknown as OrderView;
}

/** Counts the effects of a paid order in the tables: each must be there once. */
export async function countEffects(
  sql: Pool,
  no: string,
): Promise<{ applied: number; points: number; pointsEntries: number; paidSteps: number }> {
  const { rows } = await sql.query<{
    applied: number;
    points: number;
    pointsEntries: number;
    paidSteps: number;
  }>(
    `SELECT
      (SELECT count(*)::int FROM payment_transactions
        WHERE order_no = $1 AND status = 'applied') AS applied,
      (SELECT coalesce(sum(delta), 0)::int FROM points_entries WHERE out_trade_no = $1) AS points,
      (SELECT count(*)::int FROM points_entries WHERE out_trade_no = $1) AS "pointsEntries",
      (SELECT count(*)::int FROM order_status_history
        WHERE out_trade_no = $1 AND to_status = 'paid') AS "paidSteps"`,
    [no],
  );
  const [row] = rows;
  if (!row) throw new Error('no counts');
  return row;
}
