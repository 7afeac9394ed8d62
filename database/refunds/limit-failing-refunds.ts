// Keeps failing refund requests below WeChat's limit, by tokens that all workers share.
import type { Tx } from '../core/context';

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
