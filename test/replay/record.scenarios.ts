// Writes the recordings of this version: `npm run replay:record` runs it; it is not a test.
import { startTestOncepay, type TestOncepay } from '../support/oncepay';
import { currentVersion, recordedScenarios, writeRecording } from './histories';
import { SCENARIO_ENV, SCENARIOS } from './scenarios';

const version = currentVersion();
const recorded = recordedScenarios(version);
const missing = SCENARIOS.filter(({ name }) => !recorded.has(name));

if (missing.length === 0) {
  test('a recording run finds a scenario to record', () => {
    throw new Error(
      `Every scenario has its recording of ${version}, and none is overwritten. If ${version} is ` +
        `released, raise the version in package.json. If not, delete the recordings by hand: ` +
        `test/replay/histories/${version}.`,
    );
  });
} else {
  describe(`recording ${version}, where ${recorded.size} recordings stay unchanged`, () => {
    let oncepay: TestOncepay;
    beforeAll(async () => {
      oncepay = await startTestOncepay({ env: SCENARIO_ENV });
    });
    afterAll(() => oncepay.stop());
    afterEach(() => oncepay.simulator.clearFaults());

    test.each(missing)('$name', async ({ name, play }) => {
      const { workflowId, runId } = await play(oncepay);
      const handle = oncepay.temporal.workflow.getHandle(workflowId, runId);
      writeRecording(version, name, await handle.fetchHistory());
    });
  });
}
