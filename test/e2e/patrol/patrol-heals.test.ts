// The patrol repairs what is overdue, or opens an intervention.
import { sharingWorkflowId } from '../../../domain/temporal/workflow-ids';
import { countEffects, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { blockRun } from '../support/hung-runs';
import {
  resolve,
  lateOrder,
  setPolicy,
  untilResolved,
  untilOpened,
} from '../support/interventions';
import {
  makeReceiversKnown,
  receiver,
  sharableOrder,
  shared,
  untilSharing,
} from '../support/sharing';

jest.setTimeout(180_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    env: {
      ONCEPAY_PATROL_INTERVAL: '2s',
      ONCEPAY_REFUND_SPACING: '1h',
      ONCEPAY_SHARING_DELAY: '0s',
    },
  });
  // No intervention is opened in the first minute after a finding; here each finding is older.
  await oncepay.sql.query(`UPDATE dependencies SET since = now() - interval '1 hour'`);
  oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
  const anHour = { base_delay_ms: 3_600_000, max_delay_ms: 3_600_000 };
  await setPolicy(oncepay, 'wechat.sharing', anHour);
});
afterAll(() => oncepay.stop());

const terminate = (workflowId: string) =>
  oncepay.temporal.workflow.getHandle(workflowId).terminate('by hand');

/** Overdue, and leased for a day by a sweep that died: only the patrol finds it. */
const NUMBER_IN = {
  orders: 'out_trade_no',
  refunds: 'out_refund_no',
  profit_sharings: 'out_order_no',
} as const;

async function overdue(table: keyof typeof NUMBER_IN, key: string): Promise<void> {
  await oncepay.sql.query(
    `UPDATE ${table} SET due_at = now() - interval '2 minutes',
       lease_until = now() + interval '1 day' WHERE ${NUMBER_IN[table]} = $1`,
    [key],
  );
}

const overdueDelivery = (id: string) =>
  oncepay.sql.query(
    `UPDATE deliveries SET next_attempt_at = now() - interval '6 minutes' WHERE id = $1`,
    [id],
  );

/** Sets the clock on instead of waiting for a minute. */
async function wokenLongAgo(table: 'refunds' | 'deliveries', key: string): Promise<void> {
  const column = table === 'refunds' ? 'out_refund_no' : 'id';
  await until('it was woken', async () => {
    const { rowCount } = await oncepay.sql.query(
      `UPDATE ${table} SET woken_at = woken_at - interval '61 seconds'
       WHERE ${column} = $1 AND woken_at IS NOT NULL`,
      [key],
    );
    return rowCount === 1 ? true : null;
  });
}

/** The patrol reports that it woke this run. */
const untilHealed = (kind: string, key: string) =>
  until(`${kind} of ${key} is reported`, async () => {
    const { body } = await oncepay.call('GET', '/v1/patrol/runs?limit=200');
    const { data } = body as unknown as {
      data: { findings: { kind: string; healed: number; sample: string[] }[] }[];
    };
    return data.some(({ findings }) =>
      findings.some((one) => one.kind === kind && one.healed > 0 && one.sample.includes(key)),
    );
  });

/** A refund under a new number, which waits because WeChat just got one for the same payment. */
async function heldRefund(): Promise<{ no: string; held: string }> {
  oncepay.simulator.setRefundOutcome({ status: 'CLOSED', times: 1 });
  const no = await lateOrder(oncepay);
  const { id } = await untilOpened(oncepay, no, 'refund_closed');
  await resolve(oncepay, id, 'new_number');
  const held = await until('the second is held', async () => {
    const { rows } = await oncepay.sql.query<{ held: string }>(
      `SELECT out_refund_no AS held FROM refunds WHERE out_trade_no = $1 AND status = 'pending'
         AND due_at > now() + interval '30 minutes'`,
      [no],
    );
    return rows[0]?.held;
  });
  // The hour is over, and the run that should have noticed is gone.
  await oncepay.sql.query(
    `UPDATE refund_attempts SET sent_at = sent_at - interval '2 hours',
       finished_at = finished_at - interval '2 hours'
     WHERE out_refund_no IN (SELECT out_refund_no FROM refunds WHERE out_trade_no = $1)`,
    [no],
  );
  return { no, held };
}

async function untilRefundedOnce(no: string, outRefundNo: string): Promise<void> {
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
  const refunds = oncepay.simulator.refundsOf(no).map((one) => [one.outRefundNo, one.status]);
  expect(refunds).toEqual([
    [expect.not.stringMatching(outRefundNo), 'CLOSED'],
    [outRefundNo, 'SUCCESS'],
  ]);
  const sent = oncepay.simulator
    .requestsOf(outRefundNo)
    .filter(({ operation }) => operation === 'refund');
  expect(sent).toHaveLength(1);
}

/** A sharing that WeChat could not accept and that waits for its retry. @returns both numbers */
async function heldSharing(): Promise<{ no: string; held: string }> {
  await makeReceiversKnown(oncepay);
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setFault({ operation: 'share', kind: 'error', status: 500, outTradeNo: no });
  const held = await shared(oncepay, no, [receiver(40)]);
  await until('it is held', async () => {
    const { rowCount } = await oncepay.sql.query(
      `SELECT 1 FROM profit_sharings WHERE out_order_no = $1 AND status = 'pending'
         AND due_at > now() + interval '15 minutes'`,
      [held],
    );
    return rowCount === 1 ? true : null;
  });
  return { no, held };
}

/** A message that the shop did not accept, and whose run is gone and can't try again. */
async function undelivered(): Promise<{ no: string; id: string }> {
  const no = await oncepay.newOrder();
  oncepay.webhooks.failNext(1_000);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const { deliveries } = await oncepay.untilOrder(no, 'the shop refused it', (order) =>
    order.deliveries.some(({ status, attempts }) => status === 'pending' && attempts > 0),
  );
  return { no, id: deliveries[0]?.id ?? '' };
}

describe('something is overdue, and its run is gone', () => {
  test('an overdue order that was paid meanwhile is found paid and fulfilled once', async () => {
    const no = await oncepay.newOrder();
    await terminate(no);
    await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
    await oncepay.sql.query(`UPDATE orders SET next_query_at = now() WHERE out_trade_no = $1`, [
      no,
    ]);
    await overdue('orders', no);
    await untilHealed('order_overdue', no);
    const order = await oncepay.untilStatus(no, 'fulfilled');
    expect(order).toMatchObject({ attention: null, refunds: [] });
    expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
  });

  test('an overdue refund is sent once', async () => {
    const { no, held } = await heldRefund();
    await terminate(`refund/${held}`);
    await overdue('refunds', held);
    await untilHealed('refund_overdue', held);
    await untilRefundedOnce(no, held);
  });

  test('an overdue sharing whose run is gone is sent once', async () => {
    const { no, held } = await heldSharing();
    await terminate(sharingWorkflowId(held));
    await overdue('profit_sharings', held);
    await untilHealed('sharing_overdue', held);
    await untilSharing(oncepay, no, held, 'finished');
    const { simulator } = oncepay;
    expect(simulator.sharingsOf(no).map(({ outOrderNo }) => outOrderNo)).toEqual([held]);
    expect(simulator.balanceOf(no)).toMatchObject({ sharedFen: 40, frozenFen: 260 });
    expect(simulator.contentsOf('sharings')[held]).toBe(1);
    expect((await oncepay.order(no)).attention).toBeNull();
  });

  test('an overdue message reaches the shop once', async () => {
    const { no, id } = await undelivered();
    await terminate(no);
    oncepay.webhooks.failNext(0);
    await overdueDelivery(id);
    await untilHealed('delivery_overdue', id);
    await oncepay.untilStatus(no, 'closed');
    expect(oncepay.webhooks.of(no).map((one) => one.id)).toEqual([id]);
  });
});

describe('something is overdue, and its run exists but does nothing', () => {
  test('an overdue refund with a hung run opens an intervention; retry sends it once', async () => {
    const { no, held } = await heldRefund();
    await blockRun(oncepay, `refund/${held}`, 'refundWorkflow', held);
    await overdue('refunds', held);
    await wokenLongAgo('refunds', held);
    const question = await untilOpened(oncepay, no, 'stuck');
    expect(question).toMatchObject({
      subject: `refund:${held}`,
      actions: ['retry', 'dismiss'],
      evidence: { status: 'pending', run: { workflow_id: `refund/${held}`, status: 'RUNNING' } },
    });
    const replied = await resolve(oncepay, question.id, 'retry');
    expect([200, 202]).toContain(replied.status);
    await untilResolved(oncepay, question.id);
    await untilRefundedOnce(no, held);
  });

  test('an overdue message with a hung run opens one; retry sends it once', async () => {
    const { no, id } = await undelivered();
    await blockRun(oncepay, no, 'orderWorkflow', no);
    oncepay.webhooks.failNext(0);
    await overdueDelivery(id);
    await wokenLongAgo('deliveries', id);
    const question = await untilOpened(oncepay, no, 'stuck');
    expect(question).toMatchObject({
      subject: `delivery:${id}`,
      evidence: { status: 'pending', run: { workflow_id: no, status: 'RUNNING' } },
    });
    expect([200, 202]).toContain((await resolve(oncepay, question.id, 'retry')).status);
    await untilResolved(oncepay, question.id);
    const order = await oncepay.untilStatus(no, 'closed');
    expect(order.attention).toBeNull();
    expect(oncepay.webhooks.of(no).map((one) => one.id)).toEqual([id]);
  });
});
