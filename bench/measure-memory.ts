// Measures the memory that api and worker hold while they process some thousand orders.
import { Client, Connection } from '@temporalio/client';
import { Pool } from 'pg';
import { z } from 'zod';
import type { Oncepay } from '../stack/oncepay';
import type { Managed } from '../stack/stack';
import { checkOrders } from './ground/closing-queries';
import type { Ground } from './ground/ground';
import { hammer } from './callbacks/send-load';
import { residentMibOf } from './ground/processes';
import { signCallback } from './ground/signed-callbacks';

/** The default of `--orders`. */
export const MEMORY_ORDERS = 5_000;
const CALLERS = 16;
const TOTAL_FEN = 4_200;
const SKU = 'bench';
const SAMPLE_MS = 1_000;

interface Memory {
  readonly start: number;
  readonly after: number;
  readonly peak: number;
}

export interface MemoryResult {
  readonly orders: number;
  readonly perSecond: number;
  readonly api: Memory;
  readonly worker: Memory;
  readonly problems: readonly string[];
}

const placed = z.object({ out_trade_no: z.string() });

async function order(oncepay: Oncepay, user: string): Promise<string> {
  const body = {
    channel: 'admin',
    user_id: user,
    description: 'A mug',
    items: [{ sku: SKU, quantity: 1, unit_price: TOTAL_FEN }],
    amount: { total: TOTAL_FEN, currency: 'CNY' },
  };
  const reply = await oncepay.call('POST', '/v1/orders', { body });
  if (reply.status !== 201)
    throw new Error(`POST /v1/orders got ${reply.status}: ${JSON.stringify(reply.body)}`);
  return placed.parse(reply.body).out_trade_no;
}

async function watch({ pid }: Managed) {
  const start = await residentMibOf(pid);
  let peak = start;
  const timer = setInterval(() => {
    void residentMibOf(pid).then((mib) => {
      peak = Math.max(peak, mib);
    });
  }, SAMPLE_MS);
  return async (): Promise<Memory> => {
    clearInterval(timer);
    const after = await residentMibOf(pid);
    return { start, after, peak: Math.max(peak, after) };
  };
}

/** Takes `orders` orders the whole way through api and worker: order, callback, fulfilled. */
export async function measureMemory(
  ground: Ground,
  log: (line: string) => void,
  orders: number,
): Promise<MemoryResult> {
  const oncepay = await ground.createOncepay(await ground.createDatabase('bench_memory'));
  const [api, worker] = [await oncepay.startApi(), await oncepay.startWorker()];
  const product = { name: 'Mug', kind: 'physical', stock: 2 * orders };
  await oncepay.call('PUT', `/v1/products/${SKU}`, { body: product });
  const connection = await Connection.connect({ address: ground.stack.temporalAddress });
  const temporal = new Client({ connection, namespace: ground.namespaces.real });
  const [watchedApi, watchedWorker] = [await watch(api), await watch(worker)];
  const startedMs = performance.now();
  let begun = 0;
  const caller = async () => {
    while (begun < orders) {
      begun += 1;
      const outTradeNo = await order(oncepay, `user-${begun}`);
      const paid = { outTradeNo, totalFen: TOTAL_FEN };
      const callback = signCallback(ground.platform, ground.credentials, paid);
      const { statuses } = await hammer(oncepay.apiUrl, [callback], 1);
      if (!statuses.has(204)) throw new Error(`The callback of ${outTradeNo} was refused`);
      await temporal.workflow.getHandle(outTradeNo).result();
      if (begun % 1_000 === 0) log(`memory: ${begun} orders …`);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  const perSecond = (orders * 1_000) / (performance.now() - startedMs);
  const sql = new Pool({ connectionString: oncepay.databaseUrl, max: 1 });
  const problems = await checkOrders(sql, orders);
  await Promise.all([sql.end(), connection.close()]);
  return {
    orders,
    perSecond,
    api: await watchedApi(),
    worker: await watchedWorker(),
    problems,
  };
}
