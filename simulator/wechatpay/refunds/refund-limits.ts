// WeChat's rate limits on refund requests.
import { refuse, type Reply } from '../http/reply';
import type { SimulatedRefund } from './refund-store';

/** WeChat's limits on requests for refunds, for a test to switch on. 0, the default: none. */
export interface RefundRules {
  /** The least time between two refunds of one payment. WeChat's older pages demand 60,000 ms. */
  readonly refundSpacingMs?: number | undefined;
  /** How many requests of a merchant are accepted in a second. WeChat's limit is 150. */
  readonly refundsPerSecond?: number | undefined;
  /** How many of them may fail in a second. WeChat's limit is 6. */
  readonly failingRefundsPerSecond?: number | undefined;
}

export interface RefundLimits {
  /** Null when enough time has passed since the latest of these refunds. */
  checkSpacing: (before: readonly SimulatedRefund[], nowMs: number) => Reply | null;
  /** The reply to a request, or FREQUENCY_LIMITED when it exceeds a limit. */
  through: (merchantId: string, reply: () => Reply) => Reply;
  setRules: (rules: RefundRules) => void;
  /** Forgets the counted requests; the rules stay. */
  clear: () => void;
}

const SECOND_MS = 1_000;

const limited = (message: string): Reply => refuse(429, 'FREQUENCY_LIMITED', message);

/** The requests of the last second, by merchant. */
function createLastSecond(realNow: () => number) {
  const times = new Map<string, number[]>();
  return {
    /**
     * Counts one more request.
     *
     * @returns false when the limit is reached; a limit of 0 means no limit and no count
     */
    take: (merchantId: string, limit: number): boolean => {
      if (limit === 0) return true;
      const nowMs = realNow();
      const recent = (times.get(merchantId) ?? []).filter((at) => at > nowMs - SECOND_MS);
      const isFull = recent.length >= limit;
      times.set(merchantId, isFull ? recent : [...recent, nowMs]);
      return !isFull;
    },
    clear: () => {
      times.clear();
    },
  };
}

/** @param realNow the rates keep to the real time: they are about requests, not about business */
export function createRefundLimits(initial: RefundRules, realNow: () => number): RefundLimits {
  let rules = initial;
  const requested = createLastSecond(realNow);
  const failed = createLastSecond(realNow);
  return {
    checkSpacing: (before, nowMs) => {
      const latest = before.at(-1);
      const isSoon =
        latest !== undefined && nowMs - latest.createdAtMs < (rules.refundSpacingMs ?? 0);
      return isSoon ? limited('同一订单的退款请求过于频繁，请稍后再试') : null;
    },
    through: (merchantId, work) => {
      if (!requested.take(merchantId, rules.refundsPerSecond ?? 0)) return limited('频率超限');
      const reply = work();
      if (reply.status < 400) return reply;
      return failed.take(merchantId, rules.failingRefundsPerSecond ?? 0)
        ? reply
        : limited('错误或无效请求频率超限');
    },
    setRules: (changed) => {
      rules = { ...rules, ...changed };
    },
    clear: () => {
      requested.clear();
      failed.clear();
    },
  };
}
