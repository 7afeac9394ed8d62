/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the announcer of interventions on a real database.
import { Writable } from 'node:stream';
import { Pool } from 'pg';
import type { Alert } from '../../domain/interventions/alert';
import { createLogger } from '../../config/logger';
import { canReachDatabase } from '../../database/connections/reach-database';
import type { Database } from '../../database/database';
import { createAnnouncer } from '../../workers/announcer';
import { createDatabaseWatch } from '../../workers/dependency-watch';
import { createWorkerMetrics } from '../../workers/metrics';
import { openDatabase } from '../database/support/built';
import { secrets } from '../database/support/secrets';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import { until } from '../support/until';

const MANY = 5_000;

let stored: TestDatabase;
let sql: Pool;
const databases: Database[] = [];
beforeAll(async () => {
  stored = await createTestDatabase();
  sql = new Pool({ connectionString: stored.url, max: 2 });
});
afterAll(async () => {
  await Promise.all([sql.end(), ...databases.map((database) => database.end())]);
  await stored.drop();
});

interface Line {
  readonly msg: string;
  readonly level: string;
  readonly id?: string;
  readonly dependency?: string;
}

/** One worker process that announces; what it logs and alerts is kept. */
function startWorker(options: { url?: string; refuse?: () => boolean } = {}) {
  const database = openDatabase({ url: options.url ?? stored.url, ...secrets, webhooks: false });
  databases.push(database);
  const lines: Line[] = [];
  const alerts: Alert[] = [];
  const logger = createLogger({
    level: 'info',
    service: 'worker',
    destination: new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(chunk.toString()) as Line);
        done();
      },
    }),
  });
  const port = {
    alert(alert: Alert): Promise<void> {
      if (options.refuse?.()) return Promise.reject(new Error('nobody there'));
      alerts.push(alert);
      return Promise.resolve();
    },
  };
  const isReachable = () => canReachDatabase(options.url ?? stored.url);
  const databaseWatch = createDatabaseWatch({ alerts: port, logger, now: Date.now, isReachable });
  const metrics = createWorkerMetrics({
    database: () => Promise.resolve(databaseWatch.isDown()),
  });
  const { announcements, proposals } = database;
  const announcer = createAnnouncer({
    announcements,
    proposals,
    alerts: port,
    databaseWatch,
    metrics,
    logger,
    now: Date.now,
  });
  const stopping = new AbortController();
  const running = announcer.run(stopping.signal);
  return {
    lines,
    alerts,
    databaseWatch,
    metrics: () => metrics.registry.metrics(),
    opened: () => lines.filter(({ msg }) => msg === 'intervention.opened'),
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

const ask = (count: number, reason: string) =>
  sql.query(
    `INSERT INTO interventions (id, out_trade_no, reason, subject, evidence)
     SELECT gen_random_uuid(), 'no-' || n, $2, 'x', '{"secret": "stays here"}'
     FROM generate_series(1, $1::int) AS n`,
    [count, reason],
  );

async function unannounced(): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM interventions WHERE alerted_at IS NULL`,
  );
  return rows[0]?.count ?? -1;
}
const allAnnounced = () =>
  until('all are announced', async () => ((await unannounced()) === 0 ? true : null), 30_000);

test('two workers announce thousands of interventions once each in a few alerts', async () => {
  await ask(MANY, 'wechat_failed');
  await ask(3, 'no_stock');
  const workers = [startWorker(), startWorker()];
  await allAnnounced();
  await Promise.all(workers.map((worker) => worker.stop()));
  const lines = workers.flatMap((worker) => worker.opened());
  expect(lines).toHaveLength(MANY + 3);
  expect(new Set(lines.map(({ id }) => id)).size).toBe(MANY + 3);
  expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(['error']));
  expect(JSON.stringify(lines)).not.toContain('stays here');
  const alerts = workers.flatMap((worker) => worker.alerts);
  expect(alerts.length).toBeLessThan(10);
  const total = (reason: string) =>
    alerts.filter((one) => one.reason === reason).reduce((sum, { count }) => sum + count, 0);
  expect([total('wechat_failed'), total('no_stock')]).toEqual([MANY, 3]);
  expect(Math.max(...alerts.map(({ numbers }) => numbers.length))).toBeLessThanOrEqual(10);
  const texts = await Promise.all(workers.map((worker) => worker.metrics()));
  const counted = texts.map(
    (text) => /opened_total\{reason="no_stock"\} (\d+)/.exec(text)?.[1] ?? '0',
  );
  expect(counted.map(Number).reduce((sum, value) => sum + value, 0)).toBe(3);
}, 60_000);

test('an alert that failed is sent again', async () => {
  await ask(1, 'stuck');
  let refusals = 0;
  const worker = startWorker({ refuse: () => (refusals += 1) === 1 });
  await until('it was refused', () => Promise.resolve(refusals > 0 ? true : null));
  await allAnnounced();
  await worker.stop();
  expect(refusals).toBe(2);
  expect(worker.alerts).toMatchObject([{ kind: 'interventions', reason: 'stuck', count: 1 }]);
});

test('an outage of the database is one alert of this process, and its end another', async () => {
  const worker = startWorker({ url: 'postgresql://oncepay:x@127.0.0.1:1/none' });
  const down = () => worker.lines.filter(({ msg }) => msg === 'dependency.down');
  await until('it is down', () => Promise.resolve(down()[0]), 30_000);
  for (let failure = 0; failure < 20; failure += 1) worker.databaseWatch.failed();
  expect(await worker.metrics()).toContain('oncepay_dependency_up{dependency="database"} 0');
  worker.databaseWatch.succeeded();
  worker.databaseWatch.succeeded();
  await worker.stop();
  expect(down()).toMatchObject([{ level: 'error', dependency: 'database' }]);
  expect(worker.alerts.map(({ kind }) => kind)).toEqual(['dependency_down', 'dependency_up']);
}, 60_000);

test('waits for a free connection time out while the database is there: no outage', async () => {
  const worker = startWorker();
  const busy = () => worker.lines.filter(({ msg }) => msg === 'database.busy');
  for (let failure = 0; failure < 20; failure += 1) worker.databaseWatch.failed();
  await until('the database was tried', () => Promise.resolve(busy()[0]));
  expect(worker.databaseWatch.isDown()).toBe(false);
  await worker.stop();
  expect(worker.alerts).toEqual([]);
});
