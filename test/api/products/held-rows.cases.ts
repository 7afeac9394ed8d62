// A row that somebody holds: who needs it gets 503 in time, and nobody else waits.
import { Client } from 'pg';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';

const CALLS = 40;
/** A quarter of the api's 16 connections. */
const MOST_WAITING = 4;
const REPLY_WITHIN_MS = 5_000;

let oncepay: TestOncepay;
let holder: Client;
let numbers: readonly string[];
const order = (sku: string) =>
  oncepay.call('POST', '/v1/orders', {
    body: orderBody({ items: [{ sku, quantity: 2, unit_price: 150 }] }),
  });
beforeAll(async () => {
  oncepay = sharedOncepay();
  for (const sku of ['held', 'free']) {
    const body = { name: sku, kind: 'physical', stock: 5 };
    expect((await oncepay.call('PUT', `/v1/products/${sku}`, { body })).status).toBe(200);
  }
  const orders = ['held-1', 'held-2'].map(order);
  numbers = (await Promise.all(orders)).map(({ status, body }) => {
    expect([status, body]).toEqual([201, expect.anything()]);
    return (body as { out_trade_no: string }).out_trade_no;
  });
  holder = new Client({ connectionString: oncepay.databaseUrl });
  await holder.connect();
});
afterAll(() => holder.end());

const changeStock = (sku: string) =>
  oncepay.call('POST', `/v1/products/${sku}/stock`, { body: { delta: 1, reason: 'found' } });
const refund = (n: 0 | 1) =>
  oncepay.call('POST', `/v1/orders/${numbers[n]}/refunds`, {
    body: { out_refund_no: `held-${n}`, amount: 1 },
  });

/** How many statements of the api wait for a row. */
async function waiting(): Promise<number> {
  const { rows } = await oncepay.sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'
       AND datname = current_database() AND application_name = 'oncepay'`,
  );
  return rows[0]?.count ?? 0;
}

type Call = () => ReturnType<TestOncepay['call']>;

test.each<[string, string, Call, Call, number]>([
  [
    'a sku, its stock is changed',
    `SELECT 1 FROM products WHERE sku = 'held' FOR UPDATE`,
    () => changeStock('held'),
    () => changeStock('free'),
    200,
  ],
  [
    'a sku, orders of it are created',
    `SELECT 1 FROM products WHERE sku = 'held' FOR UPDATE`,
    () => order('held'),
    () => changeStock('free'),
    200,
  ],
  [
    'an order, refunds of it are requested',
    `SELECT 1 FROM orders WHERE out_trade_no = (SELECT min(out_trade_no) FROM orders
       WHERE out_trade_no = ANY($1)) FOR UPDATE`,
    () => refund(0),
    () => refund(1),
    409,
  ],
])('somebody holds %s: 503 within 5 s, and no other call waits', async (...row) => {
  const [, lock, needsRow, needsAnother, expected] = row;
  numbers = [...numbers].sort();
  await holder.query('BEGIN');
  await holder.query(lock, lock.includes('$1') ? [numbers] : []);
  let held = CALLS;
  const calls = Array.from({ length: CALLS }, async () => {
    const startedMs = performance.now();
    const { status } = await needsRow();
    held -= 1;
    return { status, ms: performance.now() - startedMs };
  });
  await until('some wait', async () => ((await waiting()) > 0 ? true : null));
  const others = await Promise.all(Array.from({ length: 8 }, needsAnother));
  const heldMeanwhile = held;
  expect(others.map(({ status, body }) => (status === expected ? status : body))).toEqual(
    others.map(() => expected),
  );
  expect(heldMeanwhile).toBeGreaterThan(0);
  let most = 0;
  while (held > 0) most = Math.max(most, await waiting());
  expect(most).toBeLessThanOrEqual(MOST_WAITING);
  const replies = await Promise.all(calls);
  await holder.query('ROLLBACK');
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([503]));
  expect(Math.max(...replies.map(({ ms }) => ms))).toBeLessThan(REPLY_WITHIN_MS);
  expect((await needsAnother()).status).toBe(expected);
  await until('nothing waits any more', async () => ((await waiting()) === 0 ? true : null));
});
