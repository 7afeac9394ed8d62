// The database becomes a reader and its connections are cut, while orders come and are paid.
import { join } from 'node:path';
import { Pool } from 'pg';
import { migrate } from '../../../database/migrations/apply-migrations';
import { packageRoot } from '../../../config/paths';
import { startStack, type Stack } from '../../../stack/stack';
import { countEffects, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

/** Orders come and are fulfilled again this long after the server takes writes again. */
const WHOLE_AGAIN_MS = 10_000;
/** WeChat repeats its callbacks later than that; the simulator's clock makes it sooner. */
const REPEATED_MS = 75_000;
const ONCE = { applied: 1, points: 3, pointsEntries: 1, paidSteps: 1 };

jest.setTimeout(180_000);

let stack: Stack;
let server: Pool;
let oncepay: TestOncepay;

beforeAll(async () => {
  // A server of its own, because the whole server becomes read-only.
  stack = await startStack({ postgres: true, temporal: false, durable: false });
  const url = await stack.createDatabase('shop');
  await migrate(url, join(packageRoot(), 'prisma', 'migrations'), () => undefined);
  server = new Pool({ connectionString: url, max: 3 });
  oncepay = await startTestOncepay({ through: () => Promise.resolve(url) });
  oncepay.simulator.setClockSpeed(15);
});
afterAll(async () => {
  await oncepay.stop();
  await server.end();
  await stack.stop();
});

async function sessions(): Promise<number[]> {
  const { rows } = await server.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'oncepay%'`,
  );
  return rows.map(({ pid }) => pid);
}

async function setReadOnly(value: 'on' | 'off'): Promise<void> {
  await server.query(`ALTER SYSTEM SET default_transaction_read_only = ${value}`);
  await server.query('SELECT pg_reload_conf()');
  await until('the server has read its settings', async () => {
    const { rows } = await server.query('SHOW default_transaction_read_only');
    const [row] = rows as { default_transaction_read_only: string }[];
    return row?.default_transaction_read_only === value ? true : null;
  });
}

/** Creates orders and pays them, one after the other, until it is stopped. */
function startTraffic(): { readonly paid: string[]; refused: number; stop(): Promise<void> } {
  const stopped = new AbortController();
  const traffic = { paid: [] as string[], refused: 0, stop };
  const ended = (async () => {
    while (!stopped.signal.aborted) {
      try {
        const no = await oncepay.newOrder();
        await oncepay.simulator.pay({ outTradeNo: no });
        traffic.paid.push(no);
      } catch (error) {
        if (!/\b503\b|awaiting|WeChat took/.test(String(error))) throw error;
        traffic.refused += 1;
      }
    }
  })();
  async function stop(): Promise<void> {
    stopped.abort();
    await ended;
  }
  return traffic;
}

test('a reader under steady traffic: no connection stays, and nothing is lost', async () => {
  const traffic = startTraffic();
  await until('orders are paid', () => Promise.resolve(traffic.paid.length >= 5 || null));
  const before = await sessions();
  await setReadOnly('on');
  await until('calls are refused', () => Promise.resolve(traffic.refused > 0 || null));
  const ready = await until('the api is not ready', async () => {
    const reply = await oncepay.call('GET', '/readyz');
    return reply.status === 503 ? reply : null;
  });
  expect(ready.body).toMatchObject({
    checks: { database: 'down', database_reason: 'the server is read-only (25006)' },
  });
  await until('no connection stays at the reader', async () =>
    (await sessions()).some((pid) => before.includes(pid)) ? null : true,
  );
  await setReadOnly('off');
  const openAgain = Date.now();
  await until('an order of now is fulfilled', async () => {
    const last = traffic.paid.at(-1);
    const order = last === undefined ? null : await oncepay.order(last).catch(() => null);
    const [created] = order?.history ?? [];
    return order?.status === 'fulfilled' && Date.parse(created?.at ?? '') > openAgain ? true : null;
  });
  expect(Date.now() - openAgain).toBeLessThan(WHOLE_AGAIN_MS);
  await traffic.stop();
  await untilAllAreFulfilled(traffic.paid);
});

test('connections are cut under steady traffic: nothing is lost', async () => {
  const traffic = startTraffic();
  for (let cuts = 1; cuts <= 3; cuts += 1) {
    const enough = traffic.paid.length + 3;
    await until('orders are paid', () => Promise.resolve(traffic.paid.length >= enough || null));
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name LIKE 'oncepay%'`);
    const cut = Date.now();
    const more = traffic.paid.length + 1;
    await until('an order is paid', () => Promise.resolve(traffic.paid.length >= more || null));
    expect(Date.now() - cut).toBeLessThan(WHOLE_AGAIN_MS);
  }
  await traffic.stop();
  await untilAllAreFulfilled(traffic.paid);
});

async function untilAllAreFulfilled(numbers: readonly string[]): Promise<void> {
  for (const no of numbers) {
    await oncepay.untilStatus(no, 'fulfilled', REPEATED_MS);
    expect(await countEffects(server, no)).toEqual(ONCE);
  }
  const { rows } = await server.query(`SELECT reason, evidence FROM interventions`);
  expect(rows).toEqual([]);
}
