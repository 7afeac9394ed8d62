// The run of one refund.
// Sandbox: deterministic only.
import type { RefundStanding } from './activity-contract';
import { followMoney } from './follow-money';
import { money, steps } from './call-activities';

/**
 * The run of one refund; its id is `refund/<out_refund_no>`. It takes back the shared money that
 * the refund needs, sends the refund, and queries it until WeChat has decided.
 */
export async function refundWorkflow(outRefundNo: string): Promise<RefundStanding> {
  return followMoney(
    () => money.settleRefund(outRefundNo),
    () => steps.readRefund(outRefundNo),
  );
}
