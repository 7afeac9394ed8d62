/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// A row that somebody holds, on the pool of a worker: no other order waits for it.
import { Client } from 'pg';
import type { Database } from '../../../database/database';
import { isRowHeld } from '../../../database/core/classify-errors';
import { WORKER_LOCK_TIMEOUT_MS } from '../../../database/connections/limit-row-waits';
import { until } from '../../support/until';
import { openDatabase } from '../support/built';
import {
  someOrder,
  someProduct,
  someRefund,
  someReservation,
  someSharing,
} from '../support/patrol';
import { secrets } from '../support/secrets';
import { LIFE_MS, startTestSharing, type TestSharing } from '../support/sharing';

/** A fourth of them may wait for one row. */
const CONNECTIONS = 8;
const MOST_WAITING = 2;
const HELD = 24;
const FREE = 8;

let world: TestSharing;
let worker: Database;
let holder: Client;
beforeAll(async () => {
  world = await startTestSharing();
  worker = openDatabase({
    url: world.url,
    ...secrets,
    webhooks: false,
    maxConnections: CONNECTIONS,
    lockTimeoutMs: WORKER_LOCK_TIMEOUT_MS,
    onHeldRow: 'fail',
  });
  // Opened before a row is held, so that no work waits for a connection to open.
  await Promise.all(Array.from({ length: CONNECTIONS }, () => worker.health.ping()));
  holder = new Client({ connectionString: world.url });
  await holder.connect();
  for (const sku of ['held', 'free']) await someProduct(world.sql, sku, 0);
});
afterAll(async () => {
  await Promise.all([worker.end(), holder.end()]);
  await world.end();
});
afterEach(() => holder.query('ROLLBACK'));

/** An order of one unit of a product, which it has reserved. */
async function orderOf(sku: string, status: string): Promise<string> {
  const no = await someOrder(world.sql, { status, user: `user-of-${sku}` });
  await world.sql.query(
    `INSERT INTO order_items (out_trade_no, line, sku, quantity, unit_price_fen, kind)
     VALUES ($1, 1, $2, 1, 300, 'physical')`,
    [no, sku],
  );
  await someReservation(world.sql, no, sku, 1);
  await world.sql.query('UPDATE products SET reserved = reserved + 1 WHERE sku = $1', [sku]);
  return no;
}

/** The same with an approved `skip` of its stock, as many at once have it. */
async function orderToSkip(sku: string): Promise<string> {
  const no = await orderOf(sku, 'paid');
  await world.sql.query(
    `INSERT INTO order_effects (out_trade_no, effect, status, spent) VALUES ($1, 'stock', 'failed',
       true)`,
    [no],
  );
  await world.sql.query(
    `WITH i AS (INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
       VALUES (gen_random_uuid(), $1, $1, 'no_stock', 'stock', '{}') RETURNING id)
     INSERT INTO intervention_resolutions (id, intervention_id, out_trade_no, action, params_hash,
       note, status, proposed_by, proposed_at, approved_by, approved_at, approved_fen)
     SELECT gen_random_uuid(), id, $1, 'skip', 'h', 'x', 'approved', 'ops', now(), 'ops', now(), 0
     FROM i`,
    [no],
  );
  return no;
}

/** How many statements of the worker wait for a row. */
async function waiting(): Promise<number> {
  const { rows } = await world.sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE wait_event_type = 'Lock'
       AND datname = current_database() AND application_name = 'oncepay'`,
  );
  return rows[0]?.count ?? 0;
}

const many = (count: number, make: () => Promise<string>) => {
  const made = Array.from({ length: count }, make);
  return Promise.all(made);
};
const product = (sku: string) => `SELECT 1 FROM products WHERE sku = '${sku}' FOR UPDATE`;
const limits = { spacingMs: 0, attemptLifeMs: LIFE_MS, busyMs: 100 };

interface Case {
  /** Makes what needs the held row. */
  readonly held: () => Promise<string[]>;
  /** Makes what needs another one. */
  readonly free: () => Promise<string[]>;
  readonly lock: (numbers: readonly string[]) => string;
  readonly work: (number: string) => Promise<unknown>;
}

const effects: Case = {
  held: () => many(HELD, () => orderOf('held', 'paid')),
  free: () => many(FREE, () => orderOf('free', 'paid')),
  lock: () => product('held'),
  work: (no) => worker.effects.run(no, Date.now()),
};
const closes: Case = {
  held: () => many(HELD, () => orderOf('held', 'awaiting_payment')),
  free: () => many(FREE, () => orderOf('free', 'awaiting_payment')),
  lock: () => product('held'),
  work: (no) => worker.closing.finish(no, 'expired', Date.now()),
};
const resolutions: Case = {
  held: () => many(HELD, () => orderToSkip('held')),
  free: () => many(FREE, () => orderToSkip('free')),
  lock: () => product('held'),
  work: (no) => worker.notices.apply(no, () => ({ kind: 'unknown' }), Date.now()),
};
const refund = (no: string) => someRefund(world.sql, no, { amountFen: 1, status: 'pending' });
const refunds: Case = {
  async held() {
    const no = await someOrder(world.sql);
    return many(HELD, () => refund(no));
  },
  free: () => many(FREE, async () => refund(await someOrder(world.sql))),
  lock: ([number]) => `SELECT 1 FROM orders WHERE out_trade_no = (
    SELECT out_trade_no FROM refunds WHERE out_refund_no = '${number}') FOR UPDATE`,
  work: (number) => worker.refunds.turn(number, limits, Date.now),
};
const sharing = (no: string) => someSharing(world.sql, no, { amountFen: 1, status: 'processing' });
const sharings: Case = {
  async held() {
    const no = await world.paidOrder();
    return many(HELD, () => sharing(no));
  },
  free: () => many(FREE, async () => sharing(await world.paidOrder())),
  lock: ([number]) => `SELECT 1 FROM orders WHERE out_trade_no = (
    SELECT out_trade_no FROM profit_sharings WHERE out_order_no = '${number}') FOR UPDATE`,
  work: (number) => worker.sharings.startAfterAbsence(number, LIFE_MS, Date.now()),
};

test.each<[string, Case]>([
  ['a product, and effects of its orders run', effects],
  ['a product, and its orders are closed', closes],
  ['a product, and resolutions in bulk skip its stock', resolutions],
  ['an order, and its refunds take their turns', refunds],
  ['an order, and its sharings take their turns', sharings],
])('somebody holds %s: all others go on', async (_what, { held, free, lock, work }) => {
  const [needing, others] = [await held(), await free()];
  await holder.query('BEGIN');
  await holder.query(lock(needing));
  let left = HELD;
  const ends = needing.map(async (number) => {
    const end = await work(number).catch((error: unknown) => error);
    left -= 1;
    return end;
  });
  await until('some wait', async () => ((await waiting()) > 0 ? true : null));
  // The row is held until all others are done.
  await Promise.all(others.map(work));
  let most = 0;
  while (left > 0) most = Math.max(most, await waiting());
  expect(most).toBeLessThanOrEqual(MOST_WAITING);
  const errors = await Promise.all(ends);
  expect(errors.filter((error) => !isRowHeld(error))).toEqual([]);
  await holder.query('ROLLBACK');
  // Tried again one after the other, as their runs do: nothing was lost.
  for (const number of needing) await work(number);
});

test('work that was refused for a held row leaves the slots of the worker at once', async () => {
  const needing = await many(HELD, () => orderOf('held', 'paid'));
  await holder.query('BEGIN');
  await holder.query(product('held'));
  const run = () =>
    Promise.all(
      needing.map(async (no) => {
        const startedMs = performance.now();
        await effects.work(no).catch(() => 'held');
        return performance.now() - startedMs;
      }),
    );
  await run();
  // The next work finds a row that is known as held: one tries it, and nobody waits in memory.
  const times = (await run()).sort((a, b) => a - b);
  expect(times.at(-2)).toBeLessThan(WORKER_LOCK_TIMEOUT_MS / 2);
});
