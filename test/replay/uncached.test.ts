// Tests that runs go the same way when the worker keeps none in memory.
import { readFileSync } from 'node:fs';
import { temporal as proto } from '@temporalio/proto';
import { workflowBundlePath } from '../../config/paths';
import { failedTasks } from '../support/failed-tasks';
import { startTestOncepay, type TestOncepay } from '../support/oncepay';
import { replay, useQuietTemporal } from './bundle';
import type { Recording } from './histories';
import { SCENARIO_ENV, SCENARIOS } from './scenarios';

const { TASK_QUEUE_KIND_NORMAL } = proto.api.enums.v1.TaskQueueKind;

useQuietTemporal();

let oncepay: TestOncepay;
beforeAll(async () => {
  const NODE_OPTIONS = `--require ${require.resolve('./uncached.cjs')}`;
  // Without a cache the SDK may lose a workflow task (until its time-out, 10 s) while another run
  // has one: the patrol comes when it is called.
  const env = { ...SCENARIO_ENV, ONCEPAY_PATROL_INTERVAL: '24h', NODE_OPTIONS };
  oncepay = await startTestOncepay({ env });
});
afterAll(() => oncepay.stop());
afterEach(() => oncepay.simulator.clearFaults());

const played: Recording[] = [];

// The slow ones wait for times of the api and of WeChat, and decide nothing else in the run.
test.each(SCENARIOS.filter(({ slow }) => !slow))(
  'the scenario $name replays without a difference when no run is kept in memory',
  async ({ name, play }) => {
    const { workflowId, runId } = await play(oncepay);
    const history = await oncepay.temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    const events = history.events ?? [];
    expect(failedTasks(history)).toEqual([]);
    // A sticky queue would mean that a run was kept.
    const kinds = events.flatMap(
      ({ workflowTaskScheduledEventAttributes: task }) => task?.taskQueue?.kind ?? [],
    );
    expect(new Set(kinds)).toEqual(new Set([TASK_QUEUE_KIND_NORMAL]));
    played.push({ version: 'now', scenario: name, history, text: '' });
  },
);

test('every history that was made without a cache replays', async () => {
  expect(played).not.toEqual([]);
  const code = readFileSync(workflowBundlePath(), 'utf8');
  expect(await replay({ code }, played)).toEqual(
    played.map(({ scenario }) => ({ recording: `now/${scenario}`, error: null })),
  );
});
