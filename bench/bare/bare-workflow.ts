// The workflow that Oncepay's order workflow is compared with: same messages, empty activities.
// Sandbox: deterministic only. It sets the same search attributes and makes no decision.
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  condition,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { PrepayReply } from '../../domain/orders/run-view';
import { SEARCH_ATTRIBUTES, TASK_QUEUES } from '../../domain/temporal/task-queues';
import { noticeSignal, prepayUpdate } from '../../workflows/messages';
import type { BareActivities, BareSteps } from './bare-activities';

const STATUS = defineSearchAttributeKey(SEARCH_ATTRIBUTES.status, SearchAttributeType.KEYWORD);
const show = (value: string) => upsertSearchAttributes([{ key: STATUS, value }]);

const startToCloseTimeout = '20s';
const steps = proxyLocalActivities<BareSteps>({ startToCloseTimeout });
const wechatpay = proxyActivities<Pick<BareActivities, 'prepay'>>({
  startToCloseTimeout,
  taskQueue: TASK_QUEUES.wechatpay,
});
const queries = proxyActivities<Pick<BareActivities, 'queryPayment'>>({
  startToCloseTimeout,
  taskQueue: TASK_QUEUES.wechatpayQuery,
});
const outbound = proxyActivities<Pick<BareActivities, 'deliver'>>({
  startToCloseTimeout,
  taskQueue: TASK_QUEUES.outbound,
});

/** As in Oncepay, the query still waits when the run ends: then it fails, and nothing is lost. */
const ignoreEndOfRun = () => undefined;

/** Has the name of Oncepay's workflow, so that the same client code drives both. */
export async function orderWorkflow(outTradeNo: string): Promise<string> {
  let prepaid = false;
  let paid = false;
  setHandler(noticeSignal, () => {
    paid = true;
  });
  setHandler(prepayUpdate, async (): Promise<PrepayReply> => {
    await condition(() => prepaid);
    return 'awaiting_payment';
  });
  await steps.loadRun(outTradeNo);
  const prepay = wechatpay.prepay(outTradeNo);
  queries.queryPayment(outTradeNo).catch(ignoreEndOfRun);
  show('created');
  await prepay;
  prepaid = true;
  show('awaiting_payment');
  await condition(() => paid);
  await steps.applyNotices(outTradeNo);
  await steps.runEffects(outTradeNo);
  const delivered = outbound.deliver(outTradeNo);
  show('fulfilled');
  await delivered;
  return 'fulfilled';
}
