/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The facts of five minutes are counted once, whatever happens while they are counted.
import { Pool } from 'pg';
import { SLOT_MS } from '../../../domain/statistics/steps';
import { createTestDatabase } from '../../support/test-database';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

/** A slot in the past; the tests say what time it is. */
const SLOT = Date.parse('2026-11-30T02:00:00Z');
const HOUR_MS = 3_600_000;
const at = (ms: number) => new Date(SLOT + ms);

let sql: Pool;
let database: ReturnType<typeof openDatabase>;
let own: Awaited<ReturnType<typeof createTestDatabase>>;
let orders = 0;

beforeAll(async () => {
  own = await createTestDatabase();
  sql = new Pool({ connectionString: own.url, max: 3 });
  database = openDatabase({ url: own.url, ...secrets, webhooks: false });
});
afterAll(async () => {
  await Promise.all([sql.end(), database.end()]);
  await own.drop();
});
beforeEach(async () => {
  await sql.query(`TRUNCATE statistics, retry_failures, callback_deliveries, orders,
    order_status_history, payment_transactions, notification_inbox, interventions CASCADE`);
});

/** An order that was made, and paid with an amount if one is given, so many ms after the slot. */
async function order(ms: number, paid?: { afterMs: number; fen: number }): Promise<string> {
  orders += 1;
  const no = `2026113004${String(orders).padStart(12, '0')}`;
  await sql.query(
    `INSERT INTO orders (out_trade_no, channel, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at, created_at)
     VALUES ($1, 'admin', 'u', 'x', 300, 'a', 'm', 'n', 't', now(), $2)`,
    [no, at(ms)],
  );
  if (!paid) return no;
  await sql.query(
    `INSERT INTO payment_transactions (id, merchant_id, transaction_id, out_trade_no, order_no,
       status, trade_state, total_fen)
     VALUES (gen_random_uuid(), 'm', 'tx-' || $1, $1, $1, 'applied', 'SUCCESS', $2)`,
    [no, paid.fen],
  );
  await sql.query(
    `INSERT INTO order_status_history (out_trade_no, to_status, cause, at)
     VALUES ($1, 'paid', 'test', $2), ($1, 'fulfilled', 'test', $2)`,
    [no, at(paid.afterMs)],
  );
  return no;
}

const callback = (ms: number, outcome: string, durationMs: number, repeats = 0) =>
  database.callbackDeliveries.append([
    {
      receivedAtMs: SLOT + ms,
      notificationId: `n-${ms}`,
      outTradeNo: null,
      outcome,
      httpStatus: outcome === 'signature' ? 401 : 204,
      durationMs,
      repeats,
    },
  ]);

/** Rolls up as if it were so many ms after the slot, until nothing is left. */
async function rollUp(ms: number): Promise<number> {
  let transactions = 1;
  while (await database.statistics.rollUp(SLOT + ms)) transactions += 1;
  return transactions;
}

const read = (fromMs: number, toMs: number, step: '5m' | '1h' | '1d' = '5m') =>
  database.statistics.read({ fromMs: SLOT + fromMs, toMs: SLOT + toMs }, step);

test('each fact is counted in its own five minutes, and the money as it was paid', async () => {
  await order(0);
  await order(SLOT_MS - 1, { afterMs: SLOT_MS - 1, fen: 250 });
  await order(SLOT_MS, { afterMs: SLOT_MS, fen: 300 });
  await callback(10, 'added', 4);
  await callback(20, 'duplicate', 2, 7);
  await callback(30, 'conflicting', 2);
  await callback(40, 'signature', 0, 3);
  await callback(SLOT_MS + 1, 'added', 8);
  await database.budgets.spend(
    { number: 'x', operation: 'wechat.prepay', subject: 'prepay' },
    { code: 'SYSTEM_ERROR', seriesEndsAfterMs: HOUR_MS },
    SLOT + 5,
  );
  await database.budgets.count('wechat.prepay', 'SYSTEM_ERROR', SLOT + 6);
  await database.budgets.count('fulfilment.delivery', 'NO_CODES', SLOT + SLOT_MS);
  await sql.query(
    `INSERT INTO interventions (id, out_trade_no, reason, subject, status, evidence, since,
       resolved_at)
     VALUES (gen_random_uuid(), 'o', 'stuck', 's', 'resolved', '{}', $1, $2)`,
    [at(1), at(SLOT_MS + 1)],
  );
  await rollUp(2 * SLOT_MS + 30_000);
  const { asOf, steps } = await read(0, 2 * SLOT_MS);
  expect(asOf).toEqual(at(2 * SLOT_MS));
  expect(steps).toMatchObject([
    { at: at(0), orders: 2, paid: 1, paidFen: 250, fulfilled: 1, added: 1, duplicate: 8 },
    { at: at(SLOT_MS), orders: 1, paid: 1, paidFen: 300, fulfilled: 1, added: 1, duplicate: 0 },
  ]);
  expect(steps).toMatchObject([
    { conflicting: 1, refused: 4, answerMs: 8, opened: 1, resolved: 0 },
    { conflicting: 0, refused: 0, answerMs: 8, opened: 0, resolved: 1 },
  ]);
  expect(steps.map(({ retries }) => retries)).toEqual([
    { 'wechat.prepay SYSTEM_ERROR': 2 },
    { 'fulfilment.delivery NO_CODES': 1 },
  ]);
});

test('counted again, nothing is counted twice, and the newest row grows', async () => {
  await order(1);
  await rollUp(60_000);
  await rollUp(60_000);
  await order(50_000);
  await rollUp(90_000);
  expect((await read(0, SLOT_MS)).steps).toMatchObject([{ orders: 2 }]);
  expect((await read(0, SLOT_MS)).asOf).toEqual(at(60_000));
});

test('a gap of a day is filled row by row, and a day in Beijing is its sum', async () => {
  await order(0, { afterMs: 10, fen: 300 });
  await order(20 * HOUR_MS, { afterMs: 20 * HOUR_MS, fen: 200 });
  const transactions = await rollUp(24 * HOUR_MS + 30_000);
  expect(transactions).toBeGreaterThan(24);
  const { steps } = await read(-2 * HOUR_MS - 8 * HOUR_MS, 38 * HOUR_MS, '1d');
  expect(steps.map(({ orders: made, paidFen }) => [made, paidFen])).toEqual([
    [1, 300],
    [1, 200],
  ]);
});

test('a transaction that has written something holds the watermark back', async () => {
  await order(1);
  const nowMs = Date.now() + HOUR_MS;
  const other = await sql.connect();
  try {
    await other.query('BEGIN');
    await other.query(`INSERT INTO alert_marks VALUES ('test', now())`);
    const { rows } = await other.query<{ at: Date }>('SELECT now() AS at');
    while (await database.statistics.rollUp(nowMs));
    const asOf = (await read(0, SLOT_MS)).asOf?.getTime() ?? 0;
    expect(Math.abs(asOf - (rows[0]?.at.getTime() ?? 0))).toBeLessThanOrEqual(1);
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
  while (await database.statistics.rollUp(nowMs));
  expect((await read(0, SLOT_MS)).asOf).toEqual(new Date(nowMs - 30_000));
});

test('while another process counts, this one does nothing', async () => {
  await order(1);
  const other = await sql.connect();
  try {
    await other.query('BEGIN');
    await other.query(`SELECT pg_advisory_xact_lock(hashtext('statistics'), 0)`);
    expect(await database.statistics.rollUp(SLOT + HOUR_MS)).toBe(false);
    expect((await read(0, SLOT_MS)).asOf).toBeNull();
  } finally {
    await other.query('ROLLBACK');
    other.release();
  }
  await rollUp(HOUR_MS);
  expect((await read(0, SLOT_MS)).steps).toMatchObject([{ orders: 1 }]);
});

test('repeats that are counted later in an old row are found by its second count', async () => {
  await order(1);
  await callback(10, 'duplicate', 1);
  await rollUp(SLOT_MS + 30_000);
  await sql.query('UPDATE callback_deliveries SET repeats = 500');
  await rollUp(HOUR_MS);
  expect((await read(0, SLOT_MS)).steps).toMatchObject([{ duplicate: 1 }]);
  await rollUp(2 * HOUR_MS);
  expect((await read(0, SLOT_MS)).steps).toMatchObject([{ duplicate: 501 }]);
  expect(await rollUp(2 * HOUR_MS)).toBe(1);
});

test('the times of a wider step are those of all its rows', async () => {
  await order(0);
  for (const [ms, durationMs] of [
    [10, 1],
    [20, 1],
    [SLOT_MS + 10, 100],
  ] as const) {
    await callback(ms, 'added', durationMs);
  }
  await rollUp(2 * HOUR_MS);
  const [hour] = (await read(0, HOUR_MS, '1h')).steps;
  expect(hour?.answerMs).toBe(102);
  expect(Object.values(hour?.answerHistogram ?? {}).sort()).toEqual([1, 2]);
});

test('the facts of five minutes are found by an index of their time', async () => {
  await sql.query(
    `INSERT INTO order_status_history (out_trade_no, to_status, cause, at)
     SELECT $1, 'paid', 'test', $2::timestamptz + n * interval '1 second'
     FROM generate_series(1, 100000) n`,
    [await order(0), at(0)],
  );
  await sql.query('VACUUM ANALYZE order_status_history');
  const { rows } = await sql.query<Record<string, string>>(
    `EXPLAIN SELECT count(*) FROM order_status_history WHERE at >= $1 AND at < $2`.replace(
      '$1 AND at < $2',
      `'${at(HOUR_MS).toISOString()}' AND at < '${at(HOUR_MS + SLOT_MS).toISOString()}'`,
    ),
  );
  expect(JSON.stringify(rows)).toContain('order_status_history_at_idx');
});
