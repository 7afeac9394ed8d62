// Measures the memory that api and worker hold while they process some thousand orders.
import { Client, Connection } from '@temporalio/client';
import { Pool } from 'pg';
import { checkOrders } from './ground/closing-queries';
import type { Ground } from './ground/ground';
import { hammer } from './callbacks/send-load';
import { placeOrder, stockProduct, TOTAL_FEN } from './ground/place-order';
import { watchMemory, type Memory } from './ground/processes';
import { signCallback } from './ground/signed-callbacks';

/** The default of `--orders`. */
export const MEMORY_ORDERS = 5_000;
const CALLERS = 16;

export interface MemoryResult {
  readonly orders: number;
  readonly perSecond: number;
  readonly api: Memory;
  readonly worker: Memory;
  readonly problems: readonly string[];
}

/** Takes `orders` orders the whole way through api and worker: order, callback, fulfilled. */
export async function measureMemory(
  ground: Ground,
  log: (line: string) => void,
  orders: number,
): Promise<MemoryResult> {
  const oncepay = await ground.createOncepay(await ground.createDatabase('bench_memory'));
  const [api, worker] = [await oncepay.startApi(), await oncepay.startWorker()];
  await stockProduct(oncepay, orders);
  const connection = await Connection.connect({ address: ground.stack.temporalAddress });
  const temporal = new Client({ connection, namespace: ground.namespaces.real });
  const [watchedApi, watchedWorker] = [await watchMemory(api), await watchMemory(worker)];
  const startedMs = performance.now();
  let begun = 0;
  const caller = async () => {
    while (begun < orders) {
      begun += 1;
      const outTradeNo = await placeOrder(oncepay, `user-${begun}`);
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
