import type { Tx } from '../core/context';

/**
 * WeChat takes 6 refunds a second that fail. Every request takes a token before it is sent and gives it
 * back when it didn't fail: whatever all workers do in one second, no more than six can have failed.
 */
const REFUND_FAILURES = { name: 'wechat.refund_failures', capacity: 3, perSecond: 3 } as const;

/** @returns false when a request sent now might be one failure too many */
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

/** The request did not fail, so it counts for nothing. */
export async function returnRefundToken(tx: Pick<Tx, '$executeRaw'>): Promise<void> {
  const { name, capacity } = REFUND_FAILURES;
  await tx.$executeRaw`
    UPDATE rate_limits SET tokens = least(${capacity}::float8, tokens + 1) WHERE name = ${name}`;
}
