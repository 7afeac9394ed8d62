// Keeps queries going for an abnormal refund that a person has dismissed to handle elsewhere.
import type { TxScope } from '../core/tx-scope';
import type { LockedRefund } from './lock-refund';
import { openRedirectIntervention } from './open-refund-intervention';

/** WeChat's callback about a dismissed abnormal refund may get lost: the run queries this often. */
const QUERY_EVERY_MS = 24 * 60 * 60_000;
/**
 * The refund holds its money all that time. A refund still abnormal then needs a person.
 */
const WATCHED_MS = 30 * QUERY_EVERY_MS;

/** Plans the next query about an abnormal refund that has no open intervention. */
export async function watchAbnormal({ tx, now }: TxScope, outRefundNo: string): Promise<void> {
  const at = new Date(now.getTime() + QUERY_EVERY_MS);
  await tx.refund.updateMany({
    where: { outRefundNo, status: 'abnormal' },
    data: { nextQueryAt: at, dueAt: at },
  });
}

/**
 * WeChat reports the refund as abnormal still: plans another query, or opens an intervention anew.
 */
export async function recordStillAbnormal(
  scope: TxScope,
  refund: LockedRefund,
  evidence: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { outRefundNo, outTradeNo } = refund;
  const dismissed = await scope.tx.intervention.count({
    where: {
      outTradeNo,
      reason: 'refund_abnormal',
      subject: outRefundNo,
      resolvedAt: { gt: new Date(scope.now.getTime() - WATCHED_MS) },
    },
  });
  if (dismissed > 0) await watchAbnormal(scope, outRefundNo);
  else await openRedirectIntervention(scope, refund, evidence);
}
