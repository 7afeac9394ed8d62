import { createOrderRuns } from '../../../api/temporal/order-runs';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay();
});
afterAll(() => oncepay.stop());

const runs = () => createOrderRuns(oncepay.temporal, () => undefined);
const describeRun = async (no: string, runId?: string) => {
  const { runId: id, status } = await oncepay.temporal.workflow.getHandle(no, runId).describe();
  return { runId: id, status: status.name };
};

/** The hints that a run got. */
async function hints(no: string, runId: string): Promise<unknown[]> {
  const { events } = await oncepay.temporal.workflow.getHandle(no, runId).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
    (signal?.input?.payloads ?? []).map(
      ({ data }) => JSON.parse(Buffer.from(data ?? []).toString()) as unknown,
    ),
  );
}

test('an answer is told to the run that is there', async () => {
  const no = await oncepay.newOrder();
  const { runId } = await describeRun(no);
  await runs().wakeForResolution(no, 'a1', { reason: 'wechat_failed', subject: 'prepay' });
  expect(await describeRun(no)).toEqual({ runId, status: 'RUNNING' });
  expect(await hints(no, runId)).toEqual(['resolution:a1']);
});

test('a run that is stuck is ended, and another one gets the answer', async () => {
  const no = await oncepay.newOrder();
  const { runId } = await describeRun(no);
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  expect((await describeRun(no, runId)).status).toBe('TERMINATED');
  const next = await until('another run is there', async () => {
    const seen = await describeRun(no);
    return seen.runId === runId ? null : seen;
  });
  expect(next.status).toBe('RUNNING');
  expect(await hints(no, next.runId)).toEqual(['resolution:a1']);
});

test('an answer starts the run where there is none', async () => {
  const no = await oncepay.newOrder();
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  const { runId, status } = await describeRun(no);
  expect(status).toBe('RUNNING');
  expect(await hints(no, runId)).toEqual(['resolution:a1']);
});
