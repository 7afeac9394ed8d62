// WeChat's limits on refunds: of one payment, and of requests that fail, over all workers.
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

/** A refund that ended before anything of it was sent: WeChat has never seen its number. */
const NEVER_SENT = {
  status: 'closed',
  origin: { not: 'external' },
  refundId: null,
  acceptedAt: null,
  attempts: { none: {} },
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
  const refunds = await tx.refund.count({ where: { transactionKey, NOT: NEVER_SENT } });
  return refunds >= MAX_REFUNDS ? 'too_many' : null;
}

/**
 * WeChat allows 6 refund requests a second to fail. Each request takes a token before it is sent
 * and returns it when it did not fail: in one second the workers together can take the 3 tokens
 * that are there and the 3 that are added, so that no more than 6 requests fail.
 */
const REFUND_FAILURES = { name: 'wechat.refund_failures', capacity: 3, perSecond: 3 } as const;

/**
 * Takes a token for a request.
 * @returns false when a request sent now might be one failure too many
 */
export async function takeRefundToken(tx: Tx): Promise<boolean> {
  const { name, capacity, perSecond } = REFUND_FAILURES;
  const taken = await tx.$executeRaw`
    UPDATE rate_limits SET updated_at = clock_timestamp(), tokens = least(${capacity}::float8,
      tokens + ${perSecond}::float8
        * greatest(extract(epoch FROM clock_timestamp() - updated_at)::float8, 0)) - 1
    WHERE name = ${name} AND least(${capacity}::float8, tokens + ${perSecond}::float8
      * greatest(extract(epoch FROM clock_timestamp() - updated_at)::float8, 0)) >= 1`;
  return taken === 1;
}

/** Returns the token of a request that did not fail. */
export async function returnRefundToken(tx: Pick<Tx, '$executeRaw'>): Promise<void> {
  const { name, capacity } = REFUND_FAILURES;
  await tx.$executeRaw`
    UPDATE rate_limits SET tokens = least(${capacity}::float8, tokens + 1) WHERE name = ${name}`;
}
