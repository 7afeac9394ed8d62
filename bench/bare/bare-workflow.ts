// Sandbox: deterministic only. What Oncepay's order workflow is measured against: the same messages,
// the same activities as no-ops, the same search attributes, and no decision.
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

/** Under the name of Oncepay's own, so that the same client code drives both. */
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
  // Left behind when the run ends, as Oncepay's is.
  queries.queryPayment(outTradeNo).catch(() => undefined);
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
