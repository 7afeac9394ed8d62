/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The callback log: batches, samples, limits and failures of the database.
import { Client, Pool } from 'pg';
import { createDeliveryLog } from '../../../api/callbacks/delivery-log';
import { createMetrics } from '../../../api/health/metrics';
import type { CallbackDelivery } from '../../../database/inbox/callback-log';
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

const delivery = (index: number, change: Partial<CallbackDelivery> = {}): CallbackDelivery => ({
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

test('refused callbacks are sampled by kind and second, accepted ones are all logged', async () => {
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
    `SELECT outcome, count(*)::int AS rows FROM callback_deliveries GROUP BY 1 ORDER BY 1`,
  );
  expect(rows).toEqual([
    { outcome: 'bad_signature', rows: 20 },
    { outcome: 'duplicate', rows: 100 },
    { outcome: 'stale', rows: 21 },
  ]);
  expect(await log.counted()).toEqual(
    new Map([
      ['written', 141],
      ['sampled_out', 160],
    ]),
  );
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
