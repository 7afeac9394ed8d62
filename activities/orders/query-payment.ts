import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import { ERRORS } from '../../domain/error-catalogue';
import type { Database } from '../../database/database';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import type { QueryActivities } from '../../workflows/activity-contract';
import { keepFound } from './found-payment';
import { OperationFailure, retryIn, type RetryDecision } from '../retries/failures';
import { evidenceOf, isOfSettings, type QueryGaps } from '../wechat/deps';

export interface QueryActivityDeps {
  readonly database: Pick<Database, 'queries'>;
  readonly wechatpay: Pick<WechatPayClient, 'query' | 'queryRefund'>;
  readonly queryGapsMs: QueryGaps;
  readonly now: () => number;
}

/**
 * A person was asked because WeChat can't say; it is still asked, sooner than the schedule, but not so
 * often that an outage becomes a flood.
 */
const SPENT_RETRY_MS = 30_000;

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
      const turn = await database.queries.turn(outTradeNo, await queryGapsMs(), now());
      if (turn.kind === 'gone' || turn.kind === 'expired') return turn.kind;
      if (turn.kind === 'wait') throw retryIn(turn.delayMs, 'NOT_YET', 'wechat.query');
      const again = retryIn(turn.nextDelayMs, 'NOT_YET', 'wechat.query');
      const { merchantId } = turn;
      const outcome = await wechatpay.query({ outTradeNo, merchantId });
      if (outcome.kind !== 'ok') {
        throw failureOf(outcome, {
          outTradeNo,
          withinMs: turn.nextDelayMs,
          queryAgainIn: (delayMs) => database.queries.queryAgainAt(outTradeNo, now() + delayMs),
        });
      }
      const { notice, raw } = outcome.value;
      if (notice.tradeState === 'CLOSED' || notice.tradeState === 'REVOKED') return 'closed';
      const paid = notice.tradeState === 'SUCCESS' || notice.tradeState === 'REFUND';
      if (!paid) throw again;
      if (await keepFound({ database, wechatpay, now }, { notice, raw }, merchantId))
        return 'found';
      throw again;
    },
  } satisfies QueryActivities;
}

/** How an attempt ends that got no answer about the order, or one that is no payment yet. */
function failureOf(
  outcome: Exclude<WechatOutcome<unknown>, { kind: 'ok' }>,
  query: {
    readonly outTradeNo: string;
    /** Until the schedule asks anyway. */
    readonly withinMs: number;
    readonly queryAgainIn: (delayMs: number) => Promise<void>;
  },
): Error {
  const { kind, code } = outcome;
  const { withinMs } = query;
  // Anything else, like a number WeChat doesn't know, is an answer: there is no payment yet.
  if (kind === 'refused' && !ERRORS[code].retry && !isOfSettings(code)) {
    return retryIn(withinMs, 'NOT_YET', 'wechat.query');
  }
  const failure = {
    operation: 'wechat.query',
    number: query.outTradeNo,
    subject: WECHAT_SUBJECTS.query,
    code,
    evidence: evidenceOf(outcome),
  } as const;
  // A refusal of our settings is asked about again when the schedule or a person says so: the row tells.
  if (isOfSettings(code)) {
    const delayMs = Math.min(withinMs, SPENT_RETRY_MS);
    return new OperationFailure({ ...failure, afterSpent: { delayMs } });
  }
  const settle = async (verdict: RetryDecision) => {
    if (verdict.kind === 'again') await query.queryAgainIn(verdict.delayMs);
  };
  const afterSpent = { delayMs: SPENT_RETRY_MS };
  return new OperationFailure({ ...failure, settle, afterSpent }, { withinMs });
}
