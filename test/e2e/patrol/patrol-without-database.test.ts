// A patrol whose database goes away says so in its report, and the next patrol goes on.
import { databaseProxy } from '../../support/database-proxy';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

/** All sections fail with their pauses, and the report waits for the database. */
const FAILING_MS = 120_000;

jest.setTimeout(300_000);

const database = databaseProxy();
let oncepay: TestOncepay;
beforeAll(async () => {
  const { through } = database;
  oncepay = await startTestOncepay({ env: { ONCEPAY_PATROL_INTERVAL: '2s' }, through });
});
afterAll(async () => {
  await oncepay.stop();
  await database.close();
});

interface Report {
  readonly id: string;
  readonly status: string;
  readonly failed_sections: readonly string[];
}

async function newest(): Promise<Report | undefined> {
  const { rows } = await oncepay.sql.query<Report>(
    `SELECT id::text, status, coalesce(findings->'failedSections', '[]') AS failed_sections
     FROM patrol_runs ORDER BY started_at DESC LIMIT 1`,
  );
  return rows[0];
}

const untilNewest = (what: string, holds: (report: Report) => boolean) =>
  until(what, async () => {
    const report = await newest();
    return report && holds(report) ? report : null;
  });

/** The run that the schedule has started last, if there is one. */
async function latestRun() {
  const { info } = await oncepay.temporal.schedule.getHandle('oncepay-patrol').describe();
  const started = info.recentActions.at(-1)?.action.workflow;
  if (!started) return null;
  return oncepay.temporal.workflow.getHandle(started.workflowId, started.firstExecutionRunId);
}

type Run = NonNullable<Awaited<ReturnType<typeof latestRun>>>;

async function isDone(run: Run, activity: string): Promise<boolean> {
  const { status, raw } = await run.describe();
  const waits = (raw.pendingActivities ?? []).some(({ activityType: type, attempt }) => {
    return type?.name === activity && (attempt ?? 0) > 1;
  });
  return waits || status.name !== 'RUNNING';
}

test('the database goes away during a patrol: it says so, and the next is complete', async () => {
  await untilNewest('a patrol is complete', ({ status }) => status === 'done');
  const blocking = await oncepay.sql.connect();
  await blocking.query('BEGIN; LOCK TABLE notification_inbox IN ACCESS EXCLUSIVE MODE');
  const { id } = await untilNewest('a patrol runs', ({ status }) => status === 'running');
  const run = await until('its run is known', latestRun);
  await database.proxy.refuse();
  await blocking.query('ROLLBACK');
  blocking.release();
  const reached = async () => ((await isDone(run, 'finishPatrol')) ? true : null);
  await until('it writes its report or has ended', reached, FAILING_MS);
  await database.proxy.pass();
  expect(await run.result()).toBe('failed');
  const { rows } = await oncepay.sql.query<Report>(
    `SELECT status, findings->'failedSections' AS failed_sections FROM patrol_runs WHERE id = $1`,
    [id],
  );
  expect(rows).toEqual([
    { status: 'failed', failed_sections: ['inbox', 'overdue', 'invariants', 'purge'] },
  ]);
  await untilNewest('the next is complete', (next) => next.id !== id && next.status === 'done');
});

test('the database is away when a patrol begins: it waits and is complete', async () => {
  await untilNewest('a patrol is complete', ({ status }) => status === 'done');
  await database.proxy.refuse();
  const waiting = await until(
    'a patrol waits for its beginning or has ended',
    async () => {
      const run = await latestRun();
      if (!run) return null;
      const { status, raw } = await run.describe();
      const begins = (raw.pendingActivities ?? []).some(
        ({ activityType: type }) => type?.name === 'beginPatrol',
      );
      return begins || status.name === 'FAILED' ? run : null;
    },
    FAILING_MS,
  );
  await database.proxy.pass();
  expect(await waiting.result()).toBe('done');
});
