// Sandbox: deterministic only.
import type { SharingStanding } from './activity-contract';
import { followMoney } from './follow-money';
import { money } from './steps';

/** The run of one profit sharing, or of one unfreeze; its id is `sharing/<out_order_no>`. */
export async function profitSharingWorkflow(outOrderNo: string): Promise<SharingStanding> {
  return followMoney(
    () => money.settleSharing(outOrderNo),
    () => money.lookAtSharing(outOrderNo),
  );
}
