// Sandbox: deterministic only.
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { RefundStanding } from './activity-contract';
import { isBudgetSpent } from './flights';
import { noticeSignal } from './messages';
import { money, steps } from './steps';

interface Landed {
  standing: RefundStanding | null;
  failure: { readonly error: unknown } | null;
}

/**
 * The run of one refund; its id is `refund/<out_refund_no>`. One activity sends it, and asks until WeChat
 * has decided: its retries add no events, however many days that takes (P9). The run ends when the
 * refund is settled or a person is needed; whoever answers starts it again (P5).
 */
export async function refundWorkflow(outRefundNo: string): Promise<RefundStanding> {
  const heard = { told: false };
  setHandler(noticeSignal, () => {
    heard.told = true;
  });
  // The signal that came with the start says nothing that the activity does not read.
  heard.told = false;
  const landed = settle(outRefundNo);
  for (;;) {
    await condition(() => heard.told || landed.standing !== null || landed.failure !== null);
    const standing = landed.failure === null ? landed.standing : failedAs(landed.failure.error);
    if (standing !== null) return show(standing);
    // A callback may have settled it: the activity, in its pause, would hear of that much later.
    heard.told = false;
    const seen = await steps.readRefund(outRefundNo);
    if (seen !== 'under_way') return show(seen);
  }
}

function settle(outRefundNo: string): Landed {
  const landed: Landed = { standing: null, failure: null };
  money.settleRefund(outRefundNo).then(
    (standing) => {
      landed.standing = standing;
    },
    (error: unknown) => {
      landed.failure = { error };
    },
  );
  return landed;
}

/** A spent budget has asked a person; anything else ends the run as failed. */
function failedAs(error: unknown): RefundStanding {
  if (isBudgetSpent(error)) return 'person_needed';
  throw error;
}

function show(standing: RefundStanding): RefundStanding {
  setCurrentDetails(`**${standing}**`);
  return standing;
}
