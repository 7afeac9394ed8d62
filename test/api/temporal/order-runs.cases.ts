// Resolutions wake, start or replace the run of an order.
import { createOrderRuns } from '../../../api/temporal/order-runs';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

/** By resolution: the run that its first report has ended. */
const ended = new Map<string, string>();
const runs = () =>
  createOrderRuns({
    client: oncepay.temporal,
    onFailure: () => undefined,
    claimRunToEnd(resolutionId, runId) {
      if (!ended.has(resolutionId)) ended.set(resolutionId, runId);
      return Promise.resolve(ended.get(resolutionId) ?? '');
    },
  });
beforeEach(() => ended.clear());
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

test('a resolution for a stuck run, reported again and again, ends one run', async () => {
  const no = await oncepay.newOrder();
  const { runId } = await describeRun(no);
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  const next = await describeRun(no);
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  await runs().resolve(no, 'a1', { reason: 'stuck', subject: 'run' }, 5_000);
  expect(next.runId).not.toBe(runId);
  expect(await describeRun(no)).toEqual(next);
});

test('a resolution for an order without a run starts one', async () => {
  const no = await oncepay.newOrder();
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
  await runs().wakeForResolution(no, 'a1', { reason: 'stuck', subject: 'run' });
  const { runId, status } = await describeRun(no);
  expect(status).toBe('RUNNING');
  expect(await causesOf(no, runId)).toEqual(['resolution:a1']);
});
