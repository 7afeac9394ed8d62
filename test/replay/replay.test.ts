// Tests that this code replays every recorded history.
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflows, replay, useQuietTemporal } from './bundle';
import { clearText, currentVersion, readRecordings } from './histories';
import { SCENARIOS } from './scenarios';

const recordings = readRecordings();

useQuietTemporal();

test('every scenario has a recording of the current version', () => {
  const version = currentVersion();
  const recorded = recordings.filter((found) => found.version === version);
  const names = SCENARIOS.map(({ name }) => name).sort();
  expect(new Set(names).size).toBe(names.length);
  expect(recorded.map(({ scenario }) => scenario).sort()).toEqual(names);
});

test('this code replays every recording of every version without a difference', async () => {
  const replayed = await replay(await bundleWorkflows(), recordings);
  expect(replayed.length).toBeGreaterThanOrEqual(SCENARIOS.length);
  expect(replayed).toEqual(
    recordings.map(({ version, scenario }) => ({
      recording: `${version}/${scenario}`,
      error: null,
    })),
  );
});

test('a workflow whose steps have changed fails to replay every recording', async () => {
  const broken = await bundleWorkflows(require.resolve('./broken-workflow'));
  const replayed = await replay(broken, recordings);
  expect(replayed.length).toBeGreaterThanOrEqual(SCENARIOS.length);
  const notRefused = replayed.filter(({ error }) => !(error instanceof DeterminismViolationError));
  expect(notRefused).toEqual([]);
});

test.each(recordings)(
  'the recording $scenario of $version has no personal data and no path of a machine',
  ({ text }) => {
    // The id of a patrol (our name and a time) looks like an openid.
    const clear = clearText(text).replaceAll(/oncepay-patrol-[\dT-]+/g, 'oncepay-patrol');
    expect(clear).toMatch(/(order|refund|profitSharing|patrol|reconciliation)Workflow/);
    expect(clear).not.toMatch(/openid|user_?id|client_?ip|payer/i);
    // A WeChat openid: `o` and 27 characters.
    expect(clear).not.toMatch(/\bo[\w-]{27}\b/);
    expect(clear).not.toMatch(/\d+@|\/dist\/|node_modules/);
  },
);
