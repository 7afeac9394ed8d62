// The run of one profit sharing, or of one unfreeze.
// Sandbox: deterministic only.
import type { SharingStanding } from './activity-contract';
import { followMoney } from './follow-money';
import { isBudgetSpent, money } from './call-activities';

/** The run of one profit sharing, or of one unfreeze; its id is `sharing/<out_order_no>`. */
export async function profitSharingWorkflow(outOrderNo: string): Promise<SharingStanding> {
  return followMoney(
    () => money.settleSharing(outOrderNo),
    () => lookAt(outOrderNo),
  );
}

/** When the budget of the look is spent, an intervention is open; the settling activity goes on. */
async function lookAt(outOrderNo: string): Promise<SharingStanding> {
  try {
    return await money.lookAtSharing(outOrderNo);
  } catch (error) {
    if (isBudgetSpent(error)) return 'under_way';
    throw error;
  }
}
