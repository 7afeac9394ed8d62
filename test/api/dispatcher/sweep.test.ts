/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The dispatcher and the sweep during and after an outage of Temporal.
import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { createBreaker } from '../../../api/dispatcher/breaker';
import { createDispatcher } from '../../../api/dispatcher/dispatcher';
import { createSweep } from '../../../api/dispatcher/sweep';
import { createMetrics } from '../../../api/health/metrics';
import { createOutages } from '../../../database/retries/report-outages';
import type { Database } from '../../../database/database';
import { MAX_NOTICE_TRIES } from '../../../database/sweep/lease-due-rows';
import type { Alert } from '../../../domain/interventions/alert';
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
  sql = new Pool({ connectionString: testDatabase.url, max: 3 });
  database = openDatabase({ url: testDatabase.url, ...secrets, webhooks: false });
});
afterAll(async () => {
  await Promise.all([database.end(), sql.end()]);
  await testDatabase.drop();
});
beforeEach(() => sql.query('TRUNCATE notification_inbox, interventions CASCADE'));

/** Starts the dispatcher and the sweep on a real database, with `take` in place of Temporal. */
function start(take: (id: string) => Promise<void>) {
  const woken: string[] = [];
  const log = createTestLog();
  const { logger } = log;
  const now = Date.now;
  const nothing = () => Promise.resolve();
  const runs = {
    wakeForNotice: async (_outTradeNo: string, id: string) => {
      await take(id);
      woken.push(id);
    },
    ensureOrderRun: nothing,
    ensureRefundRun: nothing,
    ensureSharingRun: nothing,
    ensureReconciliationRun: nothing,
    wakeSharing: nothing,
    wakeForResolution: nothing,
  };
  const alerts: Alert[] = [];
  const outages = createOutages({
    alerts: { alert: (alert) => Promise.resolve(void alerts.push(alert)) },
    dependencies: database.dependencies,
    logger,
    now,
  });
  const breaker = createBreaker({
    now,
    logger,
    onState: (state) => void outages.report('temporal', state, {}),
  });
  const ping = () => take('ping');
  const metrics = createMetrics({
    inbox: () => database.inbox.open(),
    temporalUp: () => Promise.resolve(true),
    interventions: () => Promise.resolve([]),
    now,
  });
  const sweep = createSweep({
    overdue: database.overdue,
    reconciliations: database.reconciliations,
    runs,
    breaker,
    outages,
    marks: database.alertMarks,
    ping,
    logger,
    now,
  });
  const dispatcher = createDispatcher({ runs, breaker, sweep, metrics, logger });
  const left = async () => {
    const { values } = await metrics.signals.get();
    return values.find(({ labels }) => labels.outcome === 'left_to_sweep')?.value ?? 0;
  };
  const stop = () => Promise.all([sweep.stop(), dispatcher.stop()]);
  return { woken, log, alerts, breaker, sweep, dispatcher, left, stop };
}

/** Inserts inbox rows, a millisecond apart, the last one now. @returns their ids, oldest first */
async function addNotices(count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await sql.query(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, out_trade_no,
       content_hash, resource_encrypted, received_at, next_attempt_at)
     SELECT id, 'm', id::text, 'payment', 'NO' || n, 'h', 'r', at, at + interval '15 seconds'
     FROM (SELECT id, n, now() + ($2 - n) * interval '-1 ms' AS at
       FROM unnest($1::uuid[]) WITH ORDINALITY AS t (id, n)) rows`,
    [ids, count],
  );
  return ids;
}

const unavailable = () => Promise.reject(Object.assign(new Error('UNAVAILABLE'), { code: 14 }));
/** The most places by which an entry of a list is away from its place in another. */
const disorder = (list: readonly string[], order: readonly string[]) =>
  Math.max(...list.map((id, place) => Math.abs(order.indexOf(id) - place)));

test('after an outage runs are woken once each, waiting rows before new ones', async () => {
  let away = true;
  const flow = start(() => (away ? unavailable() : Promise.resolve()));
  flow.sweep.start();
  const before = await addNotices(450);
  for (const id of before) flow.dispatcher.wakeOrder(id, 'NO');
  await until('the breaker is open', async () =>
    Promise.resolve(flow.breaker.state() === 'open' ? true : null),
  );
  // A probe's attempt counts while it lasts and is subtracted when it fails.
  await until('no attempt is counted', async () => {
    const { rowCount } = await sql.query('SELECT 1 FROM notification_inbox WHERE attempts <> 0');
    return rowCount === 0 ? true : null;
  });
  away = false;
  const after = await addNotices(50);
  for (const id of after) flow.dispatcher.wakeOrder(id, 'NO');
  const all = [...before, ...after];
  await until('all are woken', () =>
    Promise.resolve(flow.woken.length >= all.length ? true : null),
  );
  await until('the backlog is gone', () => Promise.resolve(flow.sweep.hasBacklog() ? null : true));
  expect(new Set(flow.woken).size).toBe(flow.woken.length);
  // The order can differ by the calls that run at the same time.
  expect(disorder(flow.woken, all)).toBeLessThan(24);
  expect(await flow.left()).toBe(all.length);

  const [next = ''] = await addNotices(1);
  flow.dispatcher.wakeOrder(next, 'NO');
  await until('the next one is woken at once', () =>
    Promise.resolve(flow.woken.at(-1) === next ? true : null),
  );
  expect(await flow.left()).toBe(all.length);
  await flow.stop();
  expect(flow.log.events().filter((event) => /temporal\.(away|back)|backlog/.test(event))).toEqual([
    'warn sweep.backlog',
    'error temporal.away',
    'info temporal.back',
    'info sweep.backlog_gone',
  ]);
  await until('both alerts are out', () =>
    Promise.resolve(flow.alerts.length === 2 ? flow.alerts : null),
  );
  expect(flow.alerts.map(({ text }) => text)).toEqual(['Temporal is down', 'Temporal is back']);
});

test('more rows than fit into memory wait in the database and their order is kept', async () => {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  const flow = start(() => gate);
  const all = await addNotices(1_300);
  for (const id of all) flow.dispatcher.wakeOrder(id, 'NO');
  expect(flow.sweep.hasBacklog()).toBe(true);
  // 24 calls run, the other rows wait for the sweep.
  expect(await flow.left()).toBe(all.length - 24);
  open();
  await until('all are woken', () =>
    Promise.resolve(
      new Set(flow.woken).size === all.length && !flow.sweep.hasBacklog() ? true : null,
    ),
  );
  await flow.stop();
  // Runs whose call had begun before the backlog may be woken twice, which is harmless.
  expect(flow.woken.length).toBeLessThanOrEqual(all.length + 24);
  expect(flow.log.events('temporal.away')).toEqual([]);
});

test('a row whose wake Temporal refuses does not hold up the others', async () => {
  const all = await addNotices(60);
  const [bad] = all;
  const refused = () => Promise.reject(Object.assign(new Error('INVALID_ARGUMENT'), { code: 3 }));
  const flow = start((id) => (id === bad ? refused() : Promise.resolve()));
  flow.sweep.takeOver('overflow');
  await until('the others are woken', () =>
    Promise.resolve(flow.woken.length === all.length - 1 ? true : null),
  );
  await until('the backlog is gone', () => Promise.resolve(flow.sweep.hasBacklog() ? null : true));
  await flow.stop();
  const { rows } = await sql.query(`SELECT id, attempts FROM notification_inbox WHERE id = $1`, [
    bad,
  ]);
  expect(rows).toEqual([{ id: bad, attempts: 1 }]);
  expect(flow.breaker.state()).toBe('closed');
});

test('without any row to wake a ping finds out that Temporal is back', async () => {
  let away = true;
  const flow = start(() => (away ? unavailable() : Promise.resolve()));
  await until('it is open', async () => {
    await flow.breaker.call(unavailable).catch(() => undefined);
    return flow.breaker.state() === 'open' ? true : null;
  });
  flow.sweep.start();
  away = false;
  await until('it is closed', () =>
    Promise.resolve(flow.breaker.state() === 'closed' ? true : null),
  );
  await flow.stop();
  expect(flow.woken).toEqual([]);
});

/** Lets all rows reach their last attempt, and the time after it pass. */
const spend = () =>
  sql.query('UPDATE notification_inbox SET attempts = $1, next_attempt_at = now()', [
    MAX_NOTICE_TRIES,
  ]);
const escalated = async () =>
  (
    await sql.query<{ notices: number; interventions: number }>(
      `SELECT (SELECT count(*)::int FROM notification_inbox
          WHERE undeliverable_at IS NOT NULL OR verdict IS NOT NULL) AS notices,
        (SELECT count(*)::int FROM interventions) AS interventions`,
    )
  ).rows[0];

test('too many unread rows at once lead to one alert and no intervention', async () => {
  await addNotices(60);
  await spend();
  const flow = start(() => Promise.resolve());
  // A sweep ends with the spent rows; a new row whose run is woken shows that one has ended.
  for (const round of [1, 2, 3]) {
    const [id = ''] = await addNotices(1);
    flow.sweep.takeOver('overflow');
    await until(`round ${round} is over`, () =>
      Promise.resolve(flow.woken.includes(id) && !flow.sweep.hasBacklog() ? true : null),
    );
  }
  await flow.stop();
  expect(flow.log.events('dependency.down')).toEqual(['error dependency.down']);
  expect(flow.alerts).toMatchObject([{ kind: 'dependency_down' }]);
  expect(flow.log.events('sweep.undeliverable')).toEqual([]);
  expect(await escalated()).toEqual({ notices: 0, interventions: 0 });
});

test('a few unread rows after all attempts open an intervention each', async () => {
  await addNotices(3);
  await spend();
  const flow = start(() => Promise.resolve());
  flow.sweep.start();
  await until('they are escalated', async () => ((await escalated())?.notices === 3 ? true : null));
  await flow.stop();
  expect(flow.log.events('dependency.down')).toEqual([]);
  expect(flow.log.events('sweep.undeliverable')).toHaveLength(3);
  // Each run is woken once more, so that it shows the intervention.
  expect(new Set(flow.woken).size).toBe(3);
  expect(await escalated()).toEqual({ notices: 3, interventions: 3 });
});
