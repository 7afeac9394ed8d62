// A patrol that has stopped: one api process raises an alert and sets its schedule right.
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

/** Three intervals, and two looks of the api. */
const NOTICED_MS = 60_000;

jest.setTimeout(240_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ apis: 2, env: { ONCEPAY_PATROL_INTERVAL: '3s' } });
});
afterAll(() => oncepay.stop());

const schedule = () => oncepay.temporal.schedule.getHandle('oncepay-patrol');

/** Lines of the logs of the apis, without those that were there before. */
async function linesOf(before: readonly string[], ...parts: string[]): Promise<string[]> {
  const logs = await Promise.all(oncepay.apis.map((api) => api.output()));
  const lines = logs.flatMap((log) => log.split('\n'));
  return lines.filter(
    (line) => !before.includes(line) && parts.every((part) => line.includes(part)),
  );
}

async function untilPatrolled(): Promise<void> {
  const { rows } = await oncepay.sql.query<{ now: Date }>('SELECT now() AS now');
  await until(
    'a patrol has begun and is complete',
    async () => {
      const { rowCount } = await oncepay.sql.query(
        `SELECT 1 FROM patrol_runs WHERE status = 'done' AND started_at > $1`,
        [rows[0]?.now],
      );
      return (rowCount ?? 0) > 0 ? true : null;
    },
    NOTICED_MS,
  );
}

test('somebody paused the schedule: one api raises an alert and resumes it', async () => {
  await untilPatrolled();
  // Before the first worker runs, the apis may have found no schedule.
  await oncepay.sql.query('DELETE FROM alert_marks');
  const before = await linesOf([]);
  await schedule().pause('for a moment');
  const resumed = async () => ((await schedule().describe()).state.paused ? null : true);
  await until('it is resumed', resumed, NOTICED_MS);
  await untilPatrolled();
  expect(await linesOf(before, '"patrol.stopped"')).toEqual([
    expect.stringContaining('"found":"paused"'),
  ]);
  expect(await linesOf(before, '"kind":"patrol_stopped"')).toEqual([
    expect.stringContaining('for a moment'),
  ]);
});

test('the schedule starts nothing, then is deleted: an api makes it again', async () => {
  for (const worker of oncepay.workers) await worker.kill('SIGKILL');
  const before = await linesOf([]);
  const rare = { intervals: [{ every: '365 days' }] };
  await schedule().update((previous) => ({ ...previous, spec: rare }));
  const fires = () =>
    schedule()
      .describe()
      .then(
        ({ spec }) => (spec.intervals?.[0]?.every === 3_000 ? true : null),
        () => null,
      );
  await until('it fires again', fires, NOTICED_MS);
  expect(await linesOf(before, '"patrol.stopped"')).toEqual([
    expect.stringContaining('"found":"idle"'),
  ]);

  const later = await linesOf([]);
  await schedule().delete();
  await until('it is there again', fires, NOTICED_MS);
  expect(await linesOf(later, '"patrol.stopped"')).toEqual([
    expect.stringContaining('"found":"missing"'),
  ]);
  expect(await linesOf(before, '"kind":"patrol_stopped"')).toEqual([]);
  await oncepay.startWorker();
  await untilPatrolled();
});
