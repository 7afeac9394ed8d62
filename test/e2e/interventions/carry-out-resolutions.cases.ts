// Resolutions that a run carries out: retry, close, and notices that no run took.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../../../domain/temporal/task-queues';
import { countEffects, someUser, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import {
  resolve,
  interventionsOf,
  untilResolved,
  untilOpened,
  type Intervention,
} from '../support/interventions';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});
afterEach(() => oncepay.simulator.clearFaults());

jest.setTimeout(120_000);

const LONG = { expires_in_seconds: 3_600 };

const refuse = (operation: 'close' | 'query') =>
  oncepay.simulator.setFault({
    operation,
    kind: 'error',
    status: 403,
    code: 'NO_AUTH',
    message: 'no',
    times: 10_000,
  });

async function answered({ id }: Intervention, action: string): Promise<void> {
  expect([200, 202]).toContain((await resolve(oncepay, id, action)).status);
  await untilResolved(oncepay, id);
}

async function refusedClose(): Promise<Intervention> {
  refuse('close');
  const no = await oncepay.newOrder(LONG);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const question = await untilOpened(oncepay, no, 'wechat_failed');
  expect(question).toMatchObject({ subject: 'close', actions: ['retry', 'close'] });
  oncepay.simulator.clearFaults();
  return question;
}

async function refusedQuery(): Promise<Intervention> {
  refuse('query');
  const no = await oncepay.newOrder(LONG);
  const question = await untilOpened(oncepay, no, 'wechat_failed');
  expect(question).toMatchObject({ subject: 'query', actions: ['retry', 'close'] });
  return question;
}

/** A report of WeChat that woke its run too often without getting a verdict. */
async function untakenNotice(): Promise<Intervention> {
  const no = await oncepay.newOrder(LONG);
  const run = oncepay.temporal.workflow.getHandle(no);
  await run.terminate('by hand');
  // Puts a run that no worker carries out in the place of a working one.
  await oncepay.temporal.workflow.start('orderWorkflow', {
    workflowId: no,
    taskQueue: 'nobody',
    args: [no],
  });
  await oncepay.simulator.pay({ outTradeNo: no });
  // All attempts are over, instead of hours later.
  await oncepay.sql.query(
    `UPDATE notification_inbox SET attempts = 20, next_attempt_at = now() WHERE out_trade_no = $1`,
    [no],
  );
  const question = await untilOpened(oncepay, no, 'undeliverable');
  const { notices } = await oncepay.order(no);
  expect(notices).toMatchObject([{ verdict: null }]);
  expect(question).toMatchObject({
    subject: expect.stringMatching(/^notice:/) as string,
    actions: ['retry', 'dismiss'],
    evidence: { notification_id: notices[0]?.id, why: 'no_verdict' },
  });
  return question;
}

describe.each([['retry'], ['close']] as const)('WeChat refused a close: %s', (action) => {
  test('a close that WeChat refused is sent again, and the order closes', async () => {
    const question = await refusedClose();
    const { out_trade_no: no } = question;
    await answered(question, action);
    const order = await oncepay.untilStatus(no, 'closed');
    expect(order.attention).toBeNull();
    expect(oncepay.simulator.order(no)?.tradeState).toBe('CLOSED');
  });
});

test('a refused query that is retried queries at once and finds the payment', async () => {
  const question = await refusedQuery();
  const { out_trade_no: no } = question;
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  oncepay.simulator.clearFaults();
  await answered(question, 'retry');
  const order = await oncepay.untilStatus(no, 'fulfilled', 60_000);
  expect(order.attention).toBeNull();
});

test('refused queries resolved with close close the order, here and at WeChat', async () => {
  const question = await refusedQuery();
  const { out_trade_no: no } = question;
  oncepay.simulator.clearFaults();
  await answered(question, 'close');
  const order = await oncepay.untilStatus(no, 'closed');
  expect(order.attention).toBeNull();
  expect(oncepay.simulator.order(no)?.tradeState).toBe('CLOSED');
});

test.each([['retry'], ['dismiss']])(
  'a notice that no run took, resolved with %s, still counts its payment once',
  async (action) => {
    const question = await untakenNotice();
    const { out_trade_no: no } = question;
    // The resolution is kept until a run works again.
    expect((await resolve(oncepay, question.id, action)).status).toBe(202);
    await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
    await untilResolved(oncepay, question.id);
    const order = await oncepay.untilStatus(no, 'fulfilled');
    expect(order).toMatchObject({
      attention: null,
      refunds: [],
      notices: [{ verdict: 'applied' }],
    });
    expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
  },
);

const ATTENTION = defineSearchAttributeKey(
  SEARCH_ATTRIBUTES.attention,
  SearchAttributeType.KEYWORD,
);

/** The parts of a run that Web UI shows: its details, and its search attribute. */
async function shownOf(no: string): Promise<{ details: string; attention: string | null }> {
  const run = oncepay.temporal.workflow.getHandle(no);
  const metadata = await run.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  const { typedSearchAttributes } = await run.describe();
  return {
    details: metadata.currentDetails ?? '',
    attention: typedSearchAttributes.get(ATTENTION) ?? null,
  };
}

test('Web UI shows intervention, actions and call while it is open, not after', async () => {
  const question = await refusedClose();
  const { id, out_trade_no: no } = question;
  const { details } = await until('it is shown', async () => {
    const shown = await shownOf(no);
    return shown.attention === 'wechat_failed' ? shown : null;
  });
  expect(details).toContain('**wechat_failed**: a person must decide (1 open)');
  expect(details).toContain('actions to choose from: retry · close');
  expect(details).toContain(`POST /v1/interventions/${id}/resolution`);
  await answered(question, 'close');
  await oncepay.untilStatus(no, 'closed');
  const after = await until('it is shown no more', async () => {
    const shown = await shownOf(no);
    return shown.attention === null ? shown : null;
  });
  expect(after.details).toContain('**closed**');
  expect(after.details).not.toMatch(/a person must decide|actions to choose from|resolution/);
});

test('many are counted first, then resolved, and never with money or its explanation', async () => {
  const numbers = await Promise.all([1, 2, 3].map((n) => undeliveredTo(n)));
  const since = new Date(Date.now() - 60_000).toISOString();
  const path = '/v1/interventions/resolve';
  const body = { reason: 'undeliverable', since, action: 'dismiss', note: 'a test of theirs' };
  const counted = await oncepay.call('POST', path, { body: { ...body, dry_run: true } });
  expect(counted).toMatchObject({ status: 200, body: { answered: 0, dry_run: true } });
  expect((counted.body as { count: number }).count).toBeGreaterThanOrEqual(3);
  const done = await oncepay.call('POST', path, { as: 'operator', body });
  expect(done.status).toBe(202);
  for (const no of numbers) {
    const [question] = await until('it is answered', async () => {
      const resolved = await interventionsOf(oncepay, no, 'resolved');
      return resolved.length === 1 ? resolved : null;
    });
    expect(question).toMatchObject({ resolution: 'dismiss' });
  }
  const money = { ...body, reason: 'amount_mismatch', action: 'refund' };
  expect(await oncepay.call('POST', path, { body: money })).toMatchObject({
    status: 400,
    body: {
      errors: [
        { field: 'action', message: expect.stringContaining('moves or explains money') as string },
      ],
    },
  });
  for (const reason of ['invariant', 'unknown_order', 'identity_mismatch', 'reconciliation']) {
    const unexplained = { ...body, reason, dry_run: true };
    expect(await oncepay.call('POST', path, { body: unexplained })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'action' }] },
    });
  }
  for (const reason of [undefined, 'boredom']) {
    expect(await oncepay.call('POST', path, { body: { ...body, reason } })).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_ERROR', errors: [{ field: 'reason' }] },
    });
  }
  const wrong = { ...body, action: 'skip' };
  expect(await oncepay.call('POST', path, { body: wrong })).toMatchObject({
    status: 409,
    body: { code: 'ACTION_NOT_ALLOWED' },
  });
});

/** An order with a webhook that could not be delivered. */
async function undeliveredTo(n: number): Promise<string> {
  const no = await oncepay.newOrder({ user_id: someUser() });
  await oncepay.sql.query(
    `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
     VALUES (gen_random_uuid(), $1, $1, 'undeliverable', $2, '{}')`,
    [no, `webhook:${no}:order.paid-${n}`],
  );
  return no;
}
