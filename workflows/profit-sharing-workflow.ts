// Sandbox: deterministic only.
import type { SharingStanding } from './activity-contract';
import { isBudgetSpent } from './flights';
import { followMoney } from './follow-money';
import { money } from './steps';

/** The run of one profit sharing, or of one unfreeze; its id is `sharing/<out_order_no>`. */
export async function profitSharingWorkflow(outOrderNo: string): Promise<SharingStanding> {
  return followMoney(
    () => money.settleSharing(outOrderNo),
    () => lookAt(outOrderNo),
  );
}

/** Where looking fails for good, a person was asked; the run goes on at its own pace. */
async function lookAt(outOrderNo: string): Promise<SharingStanding> {
  try {
    return await money.lookAtSharing(outOrderNo);
  } catch (error) {
    if (isBudgetSpent(error)) return 'under_way';
    throw error;
  }
}
