// Scenarios for the recordings: interventions, refunds and the patrol on bad days.
import { addDays, billDateAt } from '../../domain/reconciliation/bill-days';
import { reconciliationWorkflowId, refundWorkflowId } from '../../domain/temporal/workflow-ids';
import { resolve, lateOrder, orderOf, setPolicy, untilOpened } from '../e2e/support/interventions';
import { requestRefund, paidOrder } from '../e2e/support/refunds';
import type { TestOncepay } from '../support/oncepay';
import { until } from '../support/until';
import { ended, latestRun, type PlayedRun } from './played-run';

const LONG = { expires_in_seconds: 3_600 };
const RECOVERY_MS = 60_000;

async function endedRefund(oncepay: TestOncepay, no: string): Promise<PlayedRun> {
  const [refund] = oncepay.simulator.refundsOf(no);
  const id = refundWorkflowId(refund?.outRefundNo ?? '');
  return ended(oncepay, await latestRun(oncepay, id));
}

export async function refundSucceeded(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await lateOrder(oncepay);
  await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
  return endedRefund(oncepay, no);
}

/** The run that the refund's success wakes takes back what was given. */
export async function refundTakesBack(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await paidOrder(oncepay);
  await requestRefund(oncepay, no, { out_refund_no: `part-${no}`, amount: 100 });
  await oncepay.untilOrder(no, 'points and sales are back', ({ effects }) =>
    effects.some(({ effect, status }) => effect.startsWith('sales_back:') && status === 'done'),
  );
  return ended(oncepay, await latestRun(oncepay, no));
}

/** WeChat's word comes by callback, long before the next query. */
export async function refundToldByCallback(oncepay: TestOncepay): Promise<PlayedRun> {
  oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
  const no = await lateOrder(oncepay);
  await oncepay.untilOrder(no, 'it is processing', ({ refunds }) =>
    refunds.some(({ status }) => status === 'processing'),
  );
  const [refund] = oncepay.simulator.refundsOf(no);
  const outRefundNo = refund?.outRefundNo ?? '';
  await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS' });
  return endedRefund(oncepay, no);
}

const refuse = (oncepay: TestOncepay, operation: 'refund' | 'prepay') =>
  oncepay.simulator.setFault({ operation, kind: 'error', status: 403, code: 'NO_AUTH', times: 99 });

/** The refund's run ends when a person is needed. */
export async function refundGivenUp(oncepay: TestOncepay): Promise<PlayedRun> {
  refuse(oncepay, 'refund');
  const no = await lateOrder(oncepay);
  const { subject } = await untilOpened(oncepay, no, 'refund_failed');
  return ended(oncepay, await latestRun(oncepay, refundWorkflowId(subject)));
}

export async function effectRetried(oncepay: TestOncepay): Promise<PlayedRun> {
  const { no, sku } = await orderOf(oncepay, { kind: 'virtual' });
  const run = await latestRun(oncepay, no);
  await oncepay.simulator.pay({ outTradeNo: no });
  const { id } = await untilOpened(oncepay, no, 'no_codes');
  await oncepay.call('POST', `/v1/products/${sku}/codes`, {
    body: { codes: [`${sku}-a`, `${sku}-b`] },
  });
  await resolve(oncepay, id, 'retry');
  await oncepay.untilStatus(no, 'fulfilled');
  return ended(oncepay, run);
}

export async function prepayRetried(oncepay: TestOncepay): Promise<PlayedRun> {
  refuse(oncepay, 'prepay');
  const created = await oncepay.call('POST', '/v1/orders', {
    body: {
      channel: 'admin',
      user_id: `retried-${Date.now()}`,
      description: 'A T-shirt',
      items: [{ sku: 'shirt', quantity: 1, unit_price: 300 }],
      amount: { total: 300, currency: 'CNY' },
      ...LONG,
    },
  });
  const { out_trade_no: no } = created.body as { out_trade_no: string };
  const { id } = await untilOpened(oncepay, no, 'wechat_failed');
  const run = await latestRun(oncepay, no);
  oncepay.simulator.clearFaults();
  await resolve(oncepay, id, 'retry');
  await oncepay.untilStatus(no, 'awaiting_payment');
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  return ended(oncepay, run);
}

/** An activity whose budget is spent ends for good; the run reads its rows and waits. */
export async function webhookGivenUp(oncepay: TestOncepay): Promise<PlayedRun> {
  await setPolicy(oncepay, 'notification.webhook', { max_attempts: 1 });
  oncepay.webhooks.failNext(50);
  const no = await oncepay.newOrder(LONG);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const { id } = await untilOpened(oncepay, no, 'undeliverable');
  const run = await latestRun(oncepay, no);
  oncepay.webhooks.failNext(0);
  await setPolicy(oncepay, 'notification.webhook', { max_attempts: 20 });
  await resolve(oncepay, id, 'retry');
  await oncepay.untilStatus(no, 'closed');
  return ended(oncepay, run);
}

export async function proposedByHand(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 299 });
  const { id: interventionId } = await untilOpened(oncepay, no, 'amount_mismatch');
  const run = await latestRun(oncepay, no);
  const proposal = { interventionId, action: 'accept', note: 'seen in Web UI' };
  await oncepay.temporal.workflow.getHandle(no).signal('propose', proposal);
  await until('it is proposed', async () => {
    const { rowCount } = await oncepay.sql.query(
      `SELECT 1 FROM intervention_resolutions WHERE intervention_id = $1`,
      [interventionId],
    );
    return rowCount === 1 ? true : null;
  });
  await resolve(oncepay, interventionId, 'accept');
  await oncepay.untilStatus(no, 'fulfilled');
  return ended(oncepay, run);
}

export async function unknownRefunded(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = `SHOP${process.pid}X2`;
  const { notifyUrl } = oncepay;
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 500, force: true, notifyUrl });
  const { id } = await untilOpened(oncepay, no, 'unknown_order');
  await resolve(oncepay, id, 'refund');
  await until('it is back', () => {
    const back = oncepay.simulator.refundsOf(no).some(({ status }) => status === 'SUCCESS');
    return Promise.resolve(back ? true : null);
  });
  return ended(oncepay, await latestRun(oncepay, no));
}

export async function patrolled(oncepay: TestOncepay): Promise<PlayedRun> {
  const schedule = oncepay.temporal.schedule.getHandle('oncepay-patrol');
  await until('the schedule is there', () =>
    schedule.trigger().then(
      () => true,
      () => null,
    ),
  );
  const started = await until('a patrol has started', async () => {
    const { info } = await schedule.describe();
    return info.recentActions.at(-1)?.action.workflow;
  });
  return ended(oncepay, {
    workflowId: started.workflowId,
    runId: started.firstExecutionRunId,
  });
}

/** A day without trades; its bill is ready at any time of today. */
export async function reconciled(oncepay: TestOncepay): Promise<PlayedRun> {
  const day = addDays(billDateAt(Date.now()), -2);
  await oncepay.call('POST', '/v1/reconciliations', { body: { bill_date: day } });
  await until('the day is reconciled', async () => {
    const { body } = await oncepay.call('GET', `/v1/reconciliations/${day}`);
    return (body as { status: string }).status === 'done' || null;
  });
  return ended(oncepay, await latestRun(oncepay, reconciliationWorkflowId(day)));
}
