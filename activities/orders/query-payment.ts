// Queries WeChat for a payment whose callback has not come.
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import { ERRORS } from '../../domain/error-catalogue';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import type { QueryActivities } from '../../workflows/activity-contract';
import { isForeignPayment } from '../../domain/payments/match-payment';
import { carriesMoney, type PaymentNotice } from '../../domain/payments/notices';
import { queryForNotices, type NoticeQueryDeps } from './query-for-notices';
import { storeFoundPayment } from './store-found-payment';
import { OperationFailure, retryIn, type RetryDecision } from '../retries/failures';
import { evidenceOf, isOfSettings, type QueryGaps } from '../wechat/deps';

export interface QueryActivityDeps extends NoticeQueryDeps {
  readonly queryGapsMs: QueryGaps;
}

/**
 * An intervention is open because WeChat does not report the payment. The order is queried on,
 * sooner than by the schedule, but not so often that an outage floods WeChat with queries.
 */
const SPENT_RETRY_MS = 30_000;

/**
 * Makes the activity that queries WeChat for a payment. Each attempt reads the row first, which
 * says whether a query is left to make, and when; Temporal's count of attempts plays no part.
 */
export function createQueryActivities(deps: QueryActivityDeps) {
  const { database, wechatpay, queryGapsMs, now } = deps;
  return {
    queryForNotices: (outTradeNo) => queryForNotices(deps, outTradeNo),

    async queryPayment(outTradeNo) {
      const turn = await database.queries.turn(outTradeNo, await queryGapsMs(), now());
      if (turn.kind === 'gone' || turn.kind === 'expired') return turn.kind;
      if (turn.kind === 'wait') throw retryIn(turn.delayMs, 'NOT_YET', 'wechat.query');
      const again = retryIn(turn.nextDelayMs, 'NOT_YET', 'wechat.query');
      const { merchantId, appId } = turn;
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
      if (notice.tradeState === null) {
        throw unknownState(notice, { outTradeNo, withinMs: turn.nextDelayMs });
      }
      if (!carriesMoney(notice.tradeState)) throw again;
      // Foreign money that a person dismissed is no news; with our appid it is this order's.
      const isForeign = isForeignPayment({ appId, merchantId }, notice);
      if (isForeign && (await database.queries.isDismissed(outTradeNo, notice.transactionId))) {
        throw again;
      }
      if (await storeFoundPayment(deps, { notice, raw }, merchantId)) return 'found';
      throw again;
    },
  } satisfies QueryActivities;
}

/**
 * A state that Oncepay doesn't know counts as not paid yet, and the schedule goes on. After as many
 * as the policy has attempts, a person is told; WeChat is not down.
 */
function unknownState(
  { reportedState }: PaymentNotice,
  { outTradeNo, withinMs }: { readonly outTradeNo: string; readonly withinMs: number },
): Error {
  const failure = {
    operation: 'wechat.query',
    number: outTradeNo,
    subject: WECHAT_SUBJECTS.query,
    code: 'NOT_YET',
    evidence: {
      message: 'WeChat reports a trade state that Oncepay does not know',
      trade_state: reportedState,
    },
    afterSpent: { delayMs: withinMs },
  } as const;
  return new OperationFailure(failure, { withinMs });
}

/** The error that ends an attempt without a state of the order, or before there is a payment. */
function failureOf(
  outcome: Exclude<WechatOutcome<unknown>, { kind: 'ok' }>,
  query: {
    readonly outTradeNo: string;
    /** The time until the schedule's next query. */
    readonly withinMs: number;
    readonly queryAgainIn: (delayMs: number) => Promise<void>;
  },
): Error {
  const { kind, code } = outcome;
  const { withinMs } = query;
  // Any other refusal, like that of an unknown number, says that there is no payment yet.
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
  // A refusal of our settings is repeated when the schedule or a person says so in the row.
  if (isOfSettings(code)) {
    const delayMs = Math.min(withinMs, SPENT_RETRY_MS);
    return new OperationFailure({ ...failure, afterSpent: { delayMs } });
  }
  const settle = async (decision: RetryDecision) => {
    if (decision.kind === 'again') await query.queryAgainIn(decision.delayMs);
  };
  const afterSpent = { delayMs: SPENT_RETRY_MS };
  return new OperationFailure({ ...failure, settle, afterSpent }, { withinMs });
}
