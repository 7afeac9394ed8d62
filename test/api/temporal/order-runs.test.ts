// Resolutions wake, start or replace the run of an order.
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

/** The causes that a run was woken with. */
async function causesOf(no: string, runId: string): Promise<unknown[]> {
  const { events } = await oncepay.temporal.workflow.getHandle(no, runId).fetchHistory();
  return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signal }) =>
    (signal?.input?.payloads ?? []).map(
      ({ data }) => JSON.parse(Buffer.from(data ?? []).toString()) as unknown,
    ),
  );
}

test('a resolution for an existing run wakes that run', async () => {
  const no = await oncepay.newOrder();
  const { runId } = await describeRun(no);
  await runs().wakeForResolution(no, 'a1', { reason: 'wechat_failed', subject: 'prepay' });
  expect(await describeRun(no)).toEqual({ runId, status: 'RUNNING' });
  expect(await causesOf(no, runId)).toEqual(['resolution:a1']);
});

test('a resolution for a stuck run ends it and wakes a new run', async () => {
  const no = await oncepay.newOrder();
  const { runId } = await describeRun(no);
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  expect((await describeRun(no, runId)).status).toBe('TERMINATED');
  const next = await until('another run is there', async () => {
    const seen = await describeRun(no);
    return seen.runId === runId ? null : seen;
  });
  expect(next.status).toBe('RUNNING');
  expect(await causesOf(no, next.runId)).toEqual(['resolution:a1']);
});

test('a resolution for an order without a run starts one', async () => {
  const no = await oncepay.newOrder();
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  const { runId, status } = await describeRun(no);
  expect(status).toBe('RUNNING');
  expect(await causesOf(no, runId)).toEqual(['resolution:a1']);
});
