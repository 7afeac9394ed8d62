import type { Tx } from '../core/context';
import type { LockedRefund } from './lock-refund';
import { openRedirectIntervention } from './settle-refund';

/** A dismissed abnormal refund is handled elsewhere; should WeChat's callback get lost, it is seen this often. */
const LOOK_EVERY_MS = 24 * 60 * 60_000;
/** Its money is held all that time. One that still is abnormal then is a question for a person again. */
const WATCHED_MS = 30 * LOOK_EVERY_MS;

/** Plans the next look at an abnormal refund that nobody is asked about. */
export async function watchAbnormal(tx: Tx, outRefundNo: string, now: Date): Promise<void> {
  const at = new Date(now.getTime() + LOOK_EVERY_MS);
  await tx.refund.updateMany({
    where: { outRefundNo, status: 'abnormal' },
    data: { nextQueryAt: at, dueAt: at },
  });
}

/** WeChat says that it still is abnormal: it is looked at again, or a person is asked anew. */
export async function recordStillAbnormal(
  tx: Tx,
  refund: LockedRefund,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  const { outRefundNo, outTradeNo } = refund;
  const watched = await tx.intervention.count({
    where: {
      outTradeNo,
      reason: 'refund_abnormal',
      subject: outRefundNo,
      resolvedAt: { gt: new Date(now.getTime() - WATCHED_MS) },
    },
  });
  if (watched > 0) await watchAbnormal(tx, outRefundNo, now);
  else await openRedirectIntervention(tx, refund, evidence, now);
}
