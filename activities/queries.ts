import type { Database } from '../database/database';
import type { WechatPayClient } from '../wechatpay/client';
import type { QueryActivities } from '../workflows/activity-contract';
import { retryIn } from './failures';
import { isOfSettings } from './wechat-deps';

export interface QueryActivityDeps {
  readonly database: Pick<Database, 'queries' | 'closing'>;
  readonly wechatpay: Pick<WechatPayClient, 'query'>;
  readonly queryGapsMs: readonly number[];
  readonly now: () => number;
}

/** WeChat could not say; sooner than the schedule, but not so often that an outage becomes a flood. */
const UNKNOWN_RETRY_MS = 30_000;

/**
 * The payment that no callback told of. Each attempt reads the row first: it says whether there is
 * anything left to ask, and when; the attempt's own number means nothing.
 */
export function createQueryActivities({
  database,
  wechatpay,
  queryGapsMs,
  now,
}: QueryActivityDeps) {
  return {
    async queryPayment(outTradeNo) {
      const turn = await database.queries.turn(outTradeNo, queryGapsMs, now());
      if (turn.kind === 'gone' || turn.kind === 'expired') return turn.kind;
      if (turn.kind === 'wait') throw retryIn(turn.delayMs, 'NOT_YET', 'wechat.query');
      const again = retryIn(turn.nextDelayMs, 'NOT_YET', 'wechat.query');
      const { merchantId } = turn;
      const outcome = await wechatpay.query({ outTradeNo, merchantId });
      if (outcome.kind === 'unknown') {
        const delayMs = Math.min(turn.nextDelayMs, UNKNOWN_RETRY_MS);
        await database.queries.askAgainAt(outTradeNo, now() + delayMs);
        throw retryIn(delayMs, outcome.code, 'wechat.query');
      }
      if (outcome.kind === 'refused') {
        const isNews =
          isOfSettings(outcome.code) &&
          (await database.closing.failed(outTradeNo, 'query', outcome, now()));
        if (isNews) return 'attention';
        throw again;
      }
      const { notice, raw } = outcome.value;
      if (notice.tradeState === 'CLOSED' || notice.tradeState === 'REVOKED') return 'closed';
      const paid = notice.tradeState === 'SUCCESS' || notice.tradeState === 'REFUND';
      if (paid && (await database.queries.keepFound(notice, raw, merchantId, now())))
        return 'found';
      throw again;
    },
  } satisfies QueryActivities;
}
