// The two sides that are compared: Oncepay's order workflow and the bare one.
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { Pool } from 'pg';
import { createOrderRuns, type OrderRuns } from '../../api/temporal/order-runs';
import { loadSettings } from '../../config/settings';
import { openDatabase, type Database } from '../../database/database';
import { createInboxWriter, type InboxWriter } from '../../database/inbox/inbox-writer';
import { makeOrderNumber, shanghaiDay } from '../../domain/orders/order-number';
import { freePort } from '../../stack/processes/free-port';
import type { Managed } from '../../stack/stack';
import type { BareWorkerConfig } from '../bare/bare-worker';
import { QUERY_GAP_MS, type Ground } from '../ground/ground';
import { paymentText } from '../ground/signed-callbacks';
import { fen } from '../../domain/money';

/** Places orders, pays them and wakes their runs. The same code drives both sides. */
export interface OrderSide {
  readonly name: 'oncepay' | 'bare';
  readonly worker: Managed;
  readonly temporal: Client;
  readonly runs: OrderRuns;
  /** Makes order numbers, and their rows on the side that has rows. This is not measured. */
  place(count: number): Promise<string[]>;
  /** Stores a payment, on the side that has rows. @returns the id for the signal */
  pay(outTradeNo: string): Promise<string>;
  close(): Promise<void>;
}

export interface RealSide extends OrderSide {
  readonly sql: Pool;
}

const TOTAL_FEN = 4_200;
/** Goods with tracked stock: so many that orders seldom wait for each other's row. */
const SKUS = Array.from({ length: 100 }, (_, index) => `bench-${index}`);
const STOCK = 1_000_000;
const ACTOR = { name: 'bench', role: 'admin' };
const PLACED_AT_ONCE = 8;

async function connect(ground: Ground, namespace: string) {
  const connection = await Connection.connect({ address: ground.stack.temporalAddress });
  const temporal = new Client({ connection, namespace });
  const runs = createOrderRuns({
    client: temporal,
    onFailure(error) {
      throw error instanceof Error ? error : new Error(String(error));
    },
    // No order of the bench is stuck.
    claimRunToEnd: () => Promise.resolve(''),
  });
  return { connection, temporal, runs };
}

interface Rooms {
  readonly settings: ReturnType<typeof loadSettings>;
  readonly database: Database;
  readonly inbox: InboxWriter;
}

function openRooms(env: Readonly<Record<string, string>>): Rooms {
  const settings = loadSettings({ ...env, PORT: '1' });
  const { databaseUrl: url, encryptionKeys, hashKey } = settings;
  const { notifyUrl } = settings.wechatpay;
  const stores = { url, encryptionKeys, hashKey };
  return {
    settings,
    database: openDatabase({ ...stores, webhooks: true, notifyUrl }),
    inbox: createInboxWriter(stores),
  };
}

function createPlacing({ settings, database }: Rooms): (count: number) => Promise<string[]> {
  let users = 0;
  const placeOne = async (): Promise<string> => {
    users += 1;
    const nowMs = Date.now();
    const sku = SKUS[users % SKUS.length] ?? '';
    const order = {
      channel: 'admin',
      userId: `user-${users}`,
      openid: null,
      clientIp: null,
      description: 'A mug',
      items: [{ sku, quantity: 1, unitPriceFen: fen(TOTAL_FEN), kind: null }],
      totalFen: fen(TOTAL_FEN),
      currency: 'CNY',
      shopOrderNo: null,
      profitSharing: false,
      metadata: null,
      appId: settings.wechatpay.appId,
      merchantId: settings.wechatpay.merchantId,
      notifyUrl: settings.wechatpay.notifyUrl,
      timeExpire: new Date(nowMs + settings.paymentWindowMs).toISOString(),
      expiresAtMs: nowMs + settings.paymentWindowMs,
    } as const;
    const created = await database.orders.create(order, null, ACTOR, nowMs);
    if (created.kind !== 'created') throw new Error(`An order was not created: ${created.kind}`);
    return created.outTradeNo;
  };
  return async (count) => {
    const numbers: string[] = [];
    const place = async () => {
      while (numbers.length + PLACED_AT_ONCE <= count) numbers.push(await placeOne());
    };
    await Promise.all(Array.from({ length: PLACED_AT_ONCE }, place));
    while (numbers.length < count) numbers.push(await placeOne());
    return numbers;
  };
}

/** Starts Oncepay's worker on a database of its own. */
export async function startRealSide(ground: Ground): Promise<RealSide> {
  const databaseUrl = await ground.createDatabase('bench_orders');
  const oncepay = await ground.createOncepay(databaseUrl);
  const worker = await oncepay.startWorker();
  const rooms = openRooms(oncepay.env);
  const { database, inbox } = rooms;
  for (const sku of SKUS) {
    await database.products.put({ sku, name: sku, kind: 'physical', stock: STOCK }, ACTOR);
  }
  const { connection, temporal, runs } = await connect(ground, ground.namespaces.real);
  const sql = new Pool({ connectionString: databaseUrl, max: 1 });
  const { credentials } = ground;
  return {
    name: 'oncepay',
    worker,
    temporal,
    runs,
    sql,
    place: createPlacing(rooms),
    async pay(outTradeNo) {
      const stored = await inbox.add({
        notificationId: randomUUID(),
        merchantId: credentials.merchantId,
        kind: 'payment',
        eventType: 'TRANSACTION.SUCCESS',
        outTradeNo,
        resource: paymentText(credentials, { outTradeNo, totalFen: fen(TOTAL_FEN) }),
      });
      if (stored.kind !== 'added') throw new Error(`A payment was not added: ${stored.kind}`);
      return stored.id;
    },
    async close() {
      await Promise.all([connection.close(), inbox.end(), database.end(), sql.end()]);
    },
  };
}

/** Starts the bare workflow's worker in a namespace of its own. */
export async function startBareSide(ground: Ground): Promise<OrderSide> {
  const namespace = ground.namespaces.bare;
  const config: BareWorkerConfig = {
    port: await freePort(),
    address: ground.stack.temporalAddress,
    namespace,
    queryGapMs: QUERY_GAP_MS,
  };
  const worker = await ground.startScript(require.resolve('../bare/bare-worker'), config);
  const { connection, temporal, runs } = await connect(ground, namespace);
  const day = shanghaiDay(Date.now());
  let sequence = 0;
  return {
    name: 'bare',
    worker,
    temporal,
    runs,
    place: (count) =>
      Promise.resolve(
        Array.from({ length: count }, () => {
          sequence += 1;
          return makeOrderNumber({ day, channel: 'admin', sequence, userHash: 'BENCH0' });
        }),
      ),
    pay: () => Promise.resolve(randomUUID()),
    close: () => connection.close(),
  };
}
