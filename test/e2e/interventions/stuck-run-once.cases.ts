// A resolution of `stuck` ends one run, however often it is reported.
import { randomUUID } from 'node:crypto';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { resolve, untilResolved } from '../support/interventions';

jest.setTimeout(120_000);

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const latest = async (no: string) => {
  const { runId, status } = await oncepay.temporal.workflow.getHandle(no).describe();
  return { runId, status: status.name };
};

test('the sweep reports a resolution again: the run that it started goes on', async () => {
  const no = await oncepay.newOrder();
  for (const worker of oncepay.workers) await worker.kill('SIGKILL');
  const stuck = await latest(no);
  const id = randomUUID();
  await oncepay.sql.query(
    `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
     VALUES ($1, $2, $2, 'stuck', 'run', '{}')`,
    [id, no],
  );
  expect((await resolve(oncepay, id, 'retry')).status).toBe(202);
  const next = await until('another run has begun', async () => {
    const seen = await latest(no);
    return seen.runId === stuck.runId ? null : seen;
  });
  await oncepay.sql.query(
    `UPDATE intervention_resolutions SET next_attempt_at = now() WHERE intervention_id = $1`,
    [id],
  );
  await until('the sweep has reported it again', async () => {
    const { events } = await oncepay.temporal.workflow.getHandle(no, next.runId).fetchHistory();
    const ends = (events ?? []).some(
      (event) =>
        event.workflowExecutionSignaledEventAttributes ??
        event.workflowExecutionTerminatedEventAttributes,
    );
    return ends ? true : null;
  });
  expect(await latest(no)).toEqual({ runId: next.runId, status: 'RUNNING' });
  oncepay.workers.push(await oncepay.startWorker());
  await untilResolved(oncepay, id);
});
