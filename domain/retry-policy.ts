/**
 * A complete retry policy: nothing in it is unlimited (S12). Times are milliseconds.
 */
export interface RetryPolicy {
  readonly baseDelayMs: number;
  readonly factor: number;
  /** 0 … 1: the share of the delay that is spread at random. */
  readonly jitter: number;
  readonly maxDelayMs: number;
  readonly maxAttempts: number;
}

/** Type of the failure that ends an activity whose budget of attempts is spent. */
export const BUDGET_SPENT = 'BUDGET_SPENT';

export type Operation =
  | 'wechat.prepay'
  | 'wechat.query'
  | 'wechat.close'
  | 'notification.webhook'
  | 'notification.message';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/**
 * One policy per operation. Prepay and close go on until the order's own end (its expiry, or WeChat's
 * `time_expire`), so their attempt limits only bound a run that would never end. Deliveries to the shop
 * are given up after about a day.
 */
export const RETRY_POLICIES: Readonly<Record<Operation, RetryPolicy>> = {
  'wechat.prepay': {
    baseDelayMs: 500,
    factor: 2,
    jitter: 0.2,
    maxDelayMs: 30_000,
    maxAttempts: 30_000,
  },
  'wechat.query': {
    baseDelayMs: 2_000,
    factor: 2,
    jitter: 0.2,
    maxDelayMs: 30_000,
    maxAttempts: 30_000,
  },
  'wechat.close': {
    baseDelayMs: 1_000,
    factor: 2,
    jitter: 0.2,
    maxDelayMs: 15_000,
    maxAttempts: 30_000,
  },
  'notification.webhook': {
    baseDelayMs: 1_000,
    factor: 3,
    jitter: 0.2,
    maxDelayMs: 2 * HOUR,
    maxAttempts: 20,
  },
  'notification.message': {
    baseDelayMs: 1_000,
    factor: 3,
    jitter: 0.2,
    maxDelayMs: 10 * MINUTE,
    maxAttempts: 10,
  },
};

/**
 * How long to wait before the next attempt: `base · factor^attempt`, plus
 * `that · jitter · (random − 0.5)`, never above the maximum.
 * @param attempt failed attempts so far less one: 0 after the first failure
 * @param random 0 ≤ random < 1, passed in
 * @returns whole milliseconds ≥ 0, or null when the budget of attempts is spent
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: number): number | null {
  if (attempt + 1 >= policy.maxAttempts) return null;
  const exponential = Math.min(policy.baseDelayMs * policy.factor ** attempt, Number.MAX_VALUE);
  const spread = exponential * policy.jitter * (random - 0.5);
  return Math.max(0, Math.round(Math.min(exponential + spread, policy.maxDelayMs)));
}
