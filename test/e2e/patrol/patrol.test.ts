// The patrol runs on its schedule and finds what every run forgot.
import { tsToMs } from '@temporalio/common/lib/time';
import { randomUUID } from 'node:crypto';
import { ifThere } from '../../support/if-there';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

/** The workers check the schedule every minute. */
const SCHEDULE_MS = 75_000;
const SCHEDULE_ID = 'oncepay-patrol';

jest.setTimeout(180_000);

interface Report {
  readonly id: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly status: string;
  readonly failed_sections: string[];
  readonly findings: { kind: string; found: number; healed: number; sample: string[] }[];
}

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ env: { ONCEPAY_PATROL_INTERVAL: '2s' } });
  // No intervention is opened in the first minute after a finding; here each finding is older.
  await oncepay.sql.query(`UPDATE dependencies SET since = now() - interval '1 hour'`);
});
afterAll(() => oncepay.stop());

async function reports(query = ''): Promise<{ data: Report[]; next_cursor: string | null }> {
  const { status, body } = await oncepay.call('GET', `/v1/patrol/runs${query}`, { as: 'viewer' });
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body as unknown as { data: Report[]; next_cursor: string | null };
}

/** The report that contains this number under this kind. */
const untilReported = (kind: string, no: string) =>
  until(`${kind} of ${no} is reported`, async () =>
    (await reports()).data.find(({ findings }) =>
      findings.some((one) => one.kind === kind && one.sample.includes(no)),
    ),
  );

test('the patrol runs again and again by itself and leaves a report each time', async () => {
  const { data, next_cursor: next } = await until('two have ended', async () => {
    const page = await reports('?limit=2');
    return page.data.length === 2 && page.next_cursor !== null ? page : null;
  });
  const older = await reports(`?limit=200&cursor=${next ?? ''}`);
  const all = [...data, ...older.data];
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(all.map(({ started_at: at }) => at)).toEqual(
    all.map(({ started_at: at }) => at).toSorted((a, b) => b.localeCompare(a)),
  );
  expect(older.data[0]).toMatchObject({ status: 'done', failed_sections: [], findings: [] });
  const { body: metrics } = await oncepay.call('GET', '/metrics');
  const age = Number(/^oncepay_patrol_age_seconds (\S+)$/m.exec(metrics as string)?.[1]);
  expect(age).toBeGreaterThanOrEqual(0);
  expect(age).toBeLessThan(30);
});

test.each([['?limit=0'], ['?cursor=x'], ['?status=done']])(
  'a list of patrol runs with %s is refused',
  async (query) => {
    expect((await oncepay.call('GET', `/v1/patrol/runs${query}`)).status).toBe(400);
  },
);

test('a notice that every process forgot gets its verdict from the patrol', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  await oncepay.sql.query(
    `UPDATE notification_inbox SET verdict = NULL, received_at = now() - interval '3 minutes',
       lease_until = NULL, next_attempt_at = now() + interval '1 day' WHERE out_trade_no = $1`,
    [no],
  );
  await oncepay.untilOrder(
    no,
    'its notice has a verdict',
    ({ notices }) => notices[0]?.verdict === 'already_applied',
  );
  await untilReported('notice_without_verdict', no);
});

test('an open order without a run and without a due time goes on', async () => {
  const no = await oncepay.newOrder();
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
  await oncepay.sql.query(
    `UPDATE orders SET due_at = NULL, created_at = now() - interval '2 minutes'
     WHERE out_trade_no = $1`,
    [no],
  );
  await untilReported('order_created_unattended', no);
  await until('it has a run again', async () => {
    const { status } = await oncepay.temporal.workflow.getHandle(no).describe();
    return status.name === 'RUNNING' ? true : null;
  });
});

test('an order whose run exists but does nothing opens an intervention', async () => {
  const no = await oncepay.newOrder();
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
  // A run that no worker carries out.
  await oncepay.temporal.workflow.start('orderWorkflow', {
    workflowId: no,
    taskQueue: 'nobody',
    args: [no],
  });
  await oncepay.sql.query(
    `UPDATE orders SET due_at = now() - interval '2 minutes' WHERE out_trade_no = $1`,
    [no],
  );
  await until('it was woken', async () => {
    // The test sets the clock on instead of waiting for a minute.
    const { rowCount } = await oncepay.sql.query(
      `UPDATE orders SET woken_at = woken_at - interval '61 seconds'
       WHERE out_trade_no = $1 AND woken_at IS NOT NULL`,
      [no],
    );
    return rowCount === 1 ? true : null;
  });
  await oncepay.untilOrder(
    no,
    'it has attention',
    ({ attention }) => attention?.reason === 'stuck',
  );
  const { body } = await oncepay.call('GET', '/v1/interventions?status=open');
  const { data } = body as { data: { out_trade_no: string; subject: string; evidence: object }[] };
  expect(data.find((one) => one.out_trade_no === no)).toMatchObject({
    subject: 'run',
    evidence: {
      status: 'awaiting_payment',
      run: { workflow_id: no, status: 'RUNNING', pending_activities: [] },
    },
  });
  await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
});

test('a deleted schedule comes back with the interval that operators have set', async () => {
  await oncepay.sql.query(
    `INSERT INTO runtime_settings (name, value, updated_by)
     VALUES ('patrol_interval', '3000', 'test')`,
  );
  const handle = oncepay.temporal.schedule.getHandle(SCHEDULE_ID);
  await handle.delete();
  const { spec, policies } = await until(
    'it is there again',
    () => ifThere(handle.describe()),
    SCHEDULE_MS,
  );
  expect([spec.intervals?.[0]?.every, policies.overlap]).toEqual([3_000, 'SKIP']);

  await oncepay.sql.query(`UPDATE runtime_settings SET value = '4000'`);
  await until(
    'its interval is another',
    async () => ((await handle.describe()).spec.intervals?.[0]?.every === 4_000 ? true : null),
    SCHEDULE_MS,
  );
});

test('a missing namespace is created; an existing one keeps its settings', async () => {
  const namespace = `own-${randomUUID()}`;
  const own = await startTestOncepay({ env: { TEMPORAL_NAMESPACE: namespace } });
  try {
    const { config } = await own.temporal.workflowService.describeNamespace({ namespace });
    expect(tsToMs(config?.workflowExecutionRetentionTtl)).toBe(30 * 24 * 3_600_000);
    const no = await own.newOrder();
    await own.simulator.pay({ outTradeNo: no });
    await own.untilStatus(no, 'fulfilled');
  } finally {
    await own.stop();
  }
});
