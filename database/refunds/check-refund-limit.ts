// Checks WeChat's limits on the refunds of one payment.
import type { Tx } from '../core/context';

/** WeChat's limits: https://pay.weixin.qq.com/doc/v3/merchant/4012791903 */
export const MAX_REFUNDS = 50;
const REFUNDABLE_DAYS = 365;

/** `too_many`: the payment has as many refunds as WeChat takes; `too_late`: it is too old. */
export type RefundLimit = 'too_many' | 'too_late';

/** The texts that callers and operators see. */
export const REFUND_LIMIT_TEXTS: Readonly<Record<RefundLimit, string>> = {
  too_many: `WeChat Pay takes at most ${MAX_REFUNDS} refunds of one payment`,
  too_late: `WeChat Pay refunds a payment only within ${REFUNDABLE_DAYS} days after it`,
};

/** The limit that keeps WeChat from taking another refund of a payment; null when none does. */
export async function refundLimit(
  tx: Tx,
  transactionKey: string,
  now: Date,
): Promise<RefundLimit | null> {
  const paid = await tx.paymentTransaction.findUniqueOrThrow({
    where: { id: transactionKey },
    select: { successTime: true, createdAt: true },
  });
  const paidAt = paid.successTime ?? paid.createdAt;
  if (now.getTime() - paidAt.getTime() > REFUNDABLE_DAYS * 24 * 3_600_000) return 'too_late';
  const refunds = await tx.refund.count({ where: { transactionKey } });
  return refunds >= MAX_REFUNDS ? 'too_many' : null;
}
