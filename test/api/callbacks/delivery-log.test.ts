/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The callback log: batches, samples, limits and failures of the database.
import { Client, Pool } from 'pg';
import { createDeliveryLog, type Replied } from '../../../api/callbacks/delivery-log';
import { createMetrics } from '../../../api/health/metrics';
import type { Database } from '../../../database/database';
import { openDatabase } from '../../database/support/built';
import { secrets } from '../../database/support/secrets';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { until } from '../../support/until';
import { createTestLog } from '../support/log';

let testDatabase: TestDatabase;
let sql: Pool;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  sql = new Pool({ connectionString: testDatabase.url, max: 2 });
  database = openDatabase({ url: testDatabase.url, ...secrets, webhooks: false });
});
afterAll(async () => {
  await Promise.all([database.end(), sql.end()]);
  await testDatabase.drop();
});
beforeEach(() => sql.query('TRUNCATE callback_deliveries'));

function start(now: () => number = Date.now) {
  const log = createTestLog();
  const metrics = createMetrics({
    inbox: () => database.inbox.open(),
    temporalUp: () => Promise.resolve(true),
    interventions: () => Promise.resolve([]),
    now,
  });
  const deliveries = createDeliveryLog({
    append: (batch) => database.callbackDeliveries.append(batch),
    metrics,
    logger: log.logger,
    now,
  });
  const counted = async () => {
    const { values } = await metrics.deliveryLog.get();
    return new Map(values.map(({ labels, value }) => [labels.outcome, value]));
  };
  return { ...deliveries, counted, events: log.events };
}

const delivery = (index: number, change: Partial<Replied> = {}): Replied => ({
  receivedAtMs: Date.parse('2026-01-01T12:00:00Z') + index,
  notificationId: `n${index}`,
  outTradeNo: index % 2 === 0 ? `NO${index}` : null,
  outcome: 'added',
  httpStatus: 204,
  durationMs: 1.5,
  ...change,
});

const rejected = (index: number, outcome: string) =>
  delivery(index, { outcome, httpStatus: 401, notificationId: null, outTradeNo: null });

async function written(): Promise<{ rows: number; statements: number }> {
  const { rows } = await sql.query<{ rows: number; statements: number }>(
    `SELECT count(*)::int AS rows, count(DISTINCT xmin::text)::int AS statements
     FROM callback_deliveries`,
  );
  return rows[0] ?? { rows: 0, statements: 0 };
}

test('rows before an orderly stop are all written, in few statements', async () => {
  const log = start();
  for (let index = 0; index < 2_345; index += 1) log.record(delivery(index));
  await log.stop();
  expect(await written()).toEqual({ rows: 2_345, statements: 5 });
  expect([...(await log.counted())]).toEqual([['written', 2_345]]);
  const { rows } = await sql.query(
    `SELECT received_at, notification_id, out_trade_no, outcome, http_status, duration_ms
     FROM callback_deliveries ORDER BY id LIMIT 2`,
  );
  const same = { outcome: 'added', http_status: 204, duration_ms: 1.5 };
  expect(rows).toEqual([
    {
      ...same,
      received_at: new Date(Date.parse('2026-01-01T12:00:00Z')),
      notification_id: 'n0',
      out_trade_no: 'NO0',
    },
    {
      ...same,
      received_at: new Date(Date.parse('2026-01-01T12:00:00.001Z')),
      notification_id: 'n1',
      out_trade_no: null,
    },
  ]);
});

test('a single row is written soon', async () => {
  const log = start();
  log.record(delivery(1));
  await until('it is written', async () => ((await written()).rows === 1 ? true : null), 2_000);
  await log.stop();
});

test('of refused callbacks 20 of a kind and second have rows; these count the others', async () => {
  let now = 5_000;
  const log = start(() => now);
  for (let index = 0; index < 100; index += 1) {
    log.record(rejected(index, 'bad_signature'));
    log.record(rejected(index, 'stale'));
    log.record(delivery(index, { outcome: 'duplicate' }));
  }
  now += 1_000;
  log.record(rejected(100, 'stale'));
  await log.stop();
  const { rows } = await sql.query(
    `SELECT outcome, count(*)::int AS rows, sum(1 + repeats)::int AS callbacks
     FROM callback_deliveries GROUP BY 1 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { outcome: 'bad_signature', rows: 20, callbacks: 100 },
    { outcome: 'duplicate', rows: 100, callbacks: 100 },
    { outcome: 'stale', rows: 21, callbacks: 101 },
  ]);
  expect(await log.counted()).toEqual(
    new Map([
      ['written', 141],
      ['repeated', 160],
    ]),
  );
});

/** A repeat of one notification, `afterMs` after the first. */
const repeat = (afterMs: number, notificationId = 'replayed') =>
  delivery(0, {
    receivedAtMs: Date.parse('2026-01-01T12:00:00Z') + afterMs,
    outcome: 'duplicate',
    notificationId,
  });

/** Of one notification: how many rows, and what each counts besides itself, oldest first. */
async function repeatsOf(notificationId = 'replayed'): Promise<number[]> {
  const { rows } = await sql.query<{ repeats: number }>(
    `SELECT repeats FROM callback_deliveries WHERE notification_id = $1 ORDER BY received_at, id`,
    [notificationId],
  );
  return rows.map(({ repeats }) => repeats);
}

const twenty = (last: number) => [...Array.from({ length: 19 }, () => 0), last];

test('a flood of one duplicate fills no table: 20 rows, the last counts the rest', async () => {
  const log = start();
  for (let index = 0; index < 20_000; index += 1) {
    log.record(repeat(index));
    if (index % 100 === 0) log.record(delivery(index));
  }
  log.record(repeat(20_000, 'another'));
  await log.stop();
  expect(await repeatsOf()).toEqual(twenty(19_980));
  expect(await repeatsOf('another')).toEqual([0]);
  expect((await written()).rows).toBe(221);
  expect(await log.counted()).toEqual(
    new Map([
      ['written', 221],
      ['repeated', 19_980],
    ]),
  );
});

test('the first 20 duplicates of an hour count over batches and processes', async () => {
  const logs = [start(), start()];
  for (const [n, log] of logs.entries()) {
    for (let index = 0; index < 15; index += 1) log.record(repeat(n * 1_000 + index));
    await log.stop();
  }
  expect(await repeatsOf()).toEqual(twenty(10));
  const next = start();
  next.record(repeat(2_000));
  await next.stop();
  expect(await repeatsOf()).toEqual(twenty(11));
  const nextHour = start();
  for (let index = 0; index < 3; index += 1) nextHour.record(repeat(3_602_500 + index));
  await nextHour.stop();
  expect(await repeatsOf()).toEqual([...twenty(11), 0, 0, 0]);
});

describe('with the table locked', () => {
  let holder: Client;
  beforeEach(async () => {
    holder = new Client({ connectionString: testDatabase.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE callback_deliveries IN ACCESS EXCLUSIVE MODE');
  });
  afterEach(() => holder.end());

  test('rows that wait for a locked table are limited and the overflow is counted', async () => {
    const log = start();
    for (let index = 0; index < 12_000; index += 1) log.record(delivery(index));
    await holder.query('ROLLBACK');
    await log.stop();
    // 500 rows are being written and 10,000 wait.
    expect(await log.counted()).toEqual(
      new Map([
        ['written', 10_500],
        ['overflowed', 1_500],
      ]),
    );
    expect((await written()).rows).toBe(10_500);
  });

  test('a flood of one duplicate leaves room for the rows of other callbacks', async () => {
    const log = start();
    log.record(delivery(0));
    for (let index = 0; index < 12_000; index += 1) log.record(repeat(index));
    for (let index = 1; index < 9_000; index += 1) log.record(delivery(index));
    await holder.query('ROLLBACK');
    await log.stop();
    expect((await log.counted()).get('overflowed')).toBeUndefined();
    expect((await written()).rows).toBe(9_020);
    expect((await repeatsOf()).reduce((sum, repeats) => sum + 1 + repeats, 0)).toBe(12_000);
  });

  test('a batch that the database refuses is dropped with one line in the log', async () => {
    const log = start();
    for (let index = 0; index < 1_200; index += 1) log.record(delivery(index));
    await until('the first batches are dropped', async () =>
      ((await log.counted()).get('dropped') ?? 0) >= 1_000 ? true : null,
    );
    await holder.query('ROLLBACK');
    log.record(delivery(1_200));
    await log.stop();
    const counts = await log.counted();
    const kept = counts.get('written') ?? 0;
    expect((counts.get('dropped') ?? 0) + kept).toBe(1_201);
    expect(kept).toBeGreaterThan(0);
    expect(log.events()).toEqual(['warn callback_log.dropped', 'info callback_log.written_again']);
  });
});
