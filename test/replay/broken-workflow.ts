// Sandbox: deterministic only. Deliberately wrong: a step that no recording knows comes first.
import { sleep } from '@temporalio/workflow';
import { orderWorkflow as realWorkflow } from '../../workflows/order-workflow';

/** What a careless change of a released workflow looks like; the replay check must refuse it. */
export async function orderWorkflow(outTradeNo: string): Promise<string> {
  await sleep('1 second');
  return realWorkflow(outTradeNo);
}
