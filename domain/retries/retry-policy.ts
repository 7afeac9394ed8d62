// Retry policies: their defaults, and the delay that follows a failed attempt.
// Sandbox: deterministic only.
import { ERRORS, type ErrorCode } from '../error-catalogue';

/** How fast and how often an operation is tried again. */
export interface Backoff {
  readonly baseDelayMs: number;
  readonly factor: number;
  /** 0 … 1: the part of the delay that is spread at random. */
  readonly jitter: number;
  readonly maxDelayMs: number;
  readonly maxAttempts: number;
}

/** A complete retry policy: nothing in it is unlimited (S12). */
export interface RetryPolicy extends Backoff {
  readonly retryableCodes: readonly ErrorCode[];
  readonly nonRetryableCodes: readonly ErrorCode[];
}

export const RETRY_OPERATIONS = [
  'wechat.prepay',
  'wechat.query',
  'wechat.close',
  'wechat.refund',
  'wechat.refund_query',
  'wechat.sharing',
  'wechat.sharing_query',
  'wechat.return',
  'wechat.bill',
  'database.read',
  'database.write',
  'inventory.stock',
  'fulfilment.points',
  'fulfilment.sales',
  'fulfilment.delivery',
  'notification.webhook',
  'notification.message',
] as const;
export type RetryOperation = (typeof RETRY_OPERATIONS)[number];

/** True for a string that names an operation. */
export function isRetryOperation(value: unknown): value is RetryOperation {
  return RETRY_OPERATIONS.some((operation) => operation === value);
}

/** The bounds of a policy's values; the database has the same. */
export const POLICY_BOUNDS = {
  /** A day: nobody remembers an operation that waits longer. */
  maxDelayMs: 24 * 3_600_000,
  maxFactor: 10,
  maxJitter: 1,
  maxAttempts: 100,
} as const;

/**
 * The type of the failure that ends an activity after its budget is spent, or after an error that
 * no retry can cure. An intervention is open then, and the run reads its rows again.
 */
export const BUDGET_SPENT = 'BUDGET_SPENT';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The connection or the other side's servers failed: the code says nothing about the request. */
const OUTAGE_CODES: readonly ErrorCode[] = [
  'SYSTEM_ERROR',
  'NETWORK_ERROR',
  'TIMEOUT',
  'TEMPORARY_FAILURE',
  'BANK_ERROR',
  'RESPONSE_FORGED',
];
/** Only a person can remove the cause of these. */
const NEVER_CODES: readonly ErrorCode[] = [
  'VALIDATION_ERROR',
  'PERMISSION_DENIED',
  'CONFIGURATION_ERROR',
  'WECHAT_PERMISSION_DENIED',
];

const JITTER = 0.2;

/** The policy of a call to WeChat. The codes are added to those that all such calls share. */
function wechat(
  backoff: Omit<Backoff, 'jitter' | 'factor'>,
  retryable: readonly ErrorCode[],
  nonRetryable: readonly ErrorCode[] = [],
): RetryPolicy {
  return {
    ...backoff,
    factor: 2,
    jitter: JITTER,
    retryableCodes: [...OUTAGE_CODES, 'FREQUENCY_LIMITED', 'USER_PAYING', ...retryable],
    nonRetryableCodes: [...NEVER_CODES, ...nonRetryable],
  };
}

const DATABASE: RetryPolicy = {
  baseDelayMs: SECOND,
  factor: 2,
  jitter: JITTER,
  maxDelayMs: 30 * SECOND,
  maxAttempts: 20,
  retryableCodes: ['TEMPORARY_FAILURE', 'NETWORK_ERROR', 'TIMEOUT', 'INTERNAL_ERROR'],
  nonRetryableCodes: NEVER_CODES,
};

const EFFECT: RetryPolicy = {
  baseDelayMs: 2 * SECOND,
  factor: 2,
  jitter: JITTER,
  maxDelayMs: MINUTE,
  maxAttempts: 6,
  retryableCodes: ['EFFECT_FAILED', 'TEMPORARY_FAILURE', 'INTERNAL_ERROR'],
  nonRetryableCodes: [...NEVER_CODES, 'NO_STOCK', 'NO_CODES'],
};

function notification(maxDelayMs: number, maxAttempts: number): RetryPolicy {
  return {
    baseDelayMs: SECOND,
    factor: 3,
    jitter: JITTER,
    maxDelayMs,
    maxAttempts,
    retryableCodes: ['DELIVERY_FAILED', 'NETWORK_ERROR', 'TIMEOUT', 'TEMPORARY_FAILURE'],
    nonRetryableCodes: NEVER_CODES,
  };
}

/**
 * The policies of a new database: a migration writes them (a test compares both). A worker uses
 * these only until it has read the table for the first time.
 */
export const DEFAULT_POLICIES: Readonly<Record<RetryOperation, RetryPolicy>> = {
  'wechat.prepay': wechat(
    { baseDelayMs: 500, maxDelayMs: 30 * SECOND, maxAttempts: 30 },
    ['RULE_LIMIT', 'NOT_ENOUGH'],
    ['WECHAT_REFUSED', 'OUT_TRADE_NO_USED', 'ORDER_PAID', 'ORDER_CLOSED'],
  ),
  'wechat.query': wechat({ baseDelayMs: 2 * SECOND, maxDelayMs: 30 * SECOND, maxAttempts: 20 }, [
    'RULE_LIMIT',
    'NOT_ENOUGH',
  ]),
  // For up to 5 min WeChat refuses a close as too early, without a code of its own. A hundred
  // attempts take some 25 min.
  'wechat.close': wechat({ baseDelayMs: SECOND, maxDelayMs: 15 * SECOND, maxAttempts: 100 }, [
    'WECHAT_REFUSED',
    'ORDER_NOT_EXIST',
    'RULE_LIMIT',
    'NOT_ENOUGH',
    'OUT_TRADE_NO_USED',
  ]),
  'wechat.refund': wechat(
    { baseDelayMs: 2 * SECOND, maxDelayMs: 30 * MINUTE, maxAttempts: 60 },
    ['RULE_LIMIT', 'NOT_ENOUGH'],
    ['WECHAT_REFUSED'],
  ),
  'wechat.refund_query': wechat(
    { baseDelayMs: 2 * SECOND, maxDelayMs: 5 * MINUTE, maxAttempts: 60 },
    ['RULE_LIMIT', 'NOT_ENOUGH'],
  ),
  'wechat.sharing': wechat(
    { baseDelayMs: 2 * SECOND, maxDelayMs: 30 * MINUTE, maxAttempts: 60 },
    ['RULE_LIMIT', 'NOT_ENOUGH'],
    ['WECHAT_REFUSED', 'OUT_TRADE_NO_USED'],
  ),
  'wechat.sharing_query': wechat(
    { baseDelayMs: 2 * SECOND, maxDelayMs: 5 * MINUTE, maxAttempts: 60 },
    ['RULE_LIMIT', 'NOT_ENOUGH'],
    ['OUT_TRADE_NO_USED'],
  ),
  // A refund waits for it, so a person has to know within hours. A receiver who lacks the money
  // will rarely get it.
  'wechat.return': wechat(
    { baseDelayMs: 2 * SECOND, maxDelayMs: 5 * MINUTE, maxAttempts: 30 },
    ['RULE_LIMIT'],
    ['WECHAT_REFUSED', 'OUT_TRADE_NO_USED'],
  ),
  // WeChat makes a bill within minutes or hours: an attempt that it is not ready for waits the
  // longest delay, and spends no budget. Downloads that broke off take up to seven hours.
  'wechat.bill': wechat(
    { baseDelayMs: 30 * SECOND, maxDelayMs: 30 * MINUTE, maxAttempts: 20 },
    ['RULE_LIMIT', 'NOT_ENOUGH'],
    ['WECHAT_REFUSED'],
  ),
  'database.read': DATABASE,
  'database.write': DATABASE,
  'inventory.stock': EFFECT,
  'fulfilment.points': EFFECT,
  'fulfilment.sales': EFFECT,
  'fulfilment.delivery': EFFECT,
  // The budget is spent after about a day.
  'notification.webhook': notification(2 * HOUR, 20),
  'notification.message': notification(10 * MINUTE, 10),
};

/**
 * The wait before the next attempt: `delay = base · factor^attempt`, plus
 * `delay · jitter · (random − 0.5)`, never above the maximum.
 * @param attempt failed attempts so far minus one: 0 after the first failure
 * @param random 0 ≤ random < 1, passed in
 * @returns whole milliseconds ≥ 0, or null when the budget of attempts is spent
 */
export function retryDelayMs(policy: Backoff, attempt: number, random: number): number | null {
  if (attempt + 1 >= policy.maxAttempts) return null;
  const exponential = Math.min(policy.baseDelayMs * policy.factor ** attempt, Number.MAX_VALUE);
  const spread = exponential * policy.jitter * (random - 0.5);
  return Math.max(0, Math.round(Math.min(exponential + spread, policy.maxDelayMs)));
}

/** After "too often" the wait is this many times longer, and at least `leastMs`. */
const SLOW_DOWN = { factor: 4, leastMs: 5 * SECOND } as const;

/** True when a retry may succeed. For a code in neither list the error catalogue says it. */
export function isRetryable(policy: RetryPolicy, code: ErrorCode): boolean {
  if (policy.nonRetryableCodes.includes(code)) return false;
  return policy.retryableCodes.includes(code) || ERRORS[code].retry;
}

/**
 * The wait after a failed attempt.
 * @param attempts failed attempts so far, this one included: from 1
 * @returns milliseconds until the next attempt; null when there is none, and the failure escalates
 */
export function delayAfterFailure(
  policy: RetryPolicy,
  failure: { readonly attempts: number; readonly code: ErrorCode },
  random: number,
): number | null {
  if (!isRetryable(policy, failure.code)) return null;
  const delayMs = retryDelayMs(policy, failure.attempts - 1, random);
  if (delayMs === null || failure.code !== 'FREQUENCY_LIMITED') return delayMs;
  return Math.min(Math.max(delayMs * SLOW_DOWN.factor, SLOW_DOWN.leastMs), policy.maxDelayMs);
}

/** While a dependency is known to be down, an operation is tried at least this often. */
const OUTAGE_DELAY_MS = 30 * SECOND;

/**
 * The wait before the next attempt while the other side is known to be down. Such attempts spend no
 * budget.
 * @param attempts failed attempts of this outage, from 1
 */
export function delayInOutage(policy: RetryPolicy, attempts: number, random: number): number {
  const patient = { ...policy, maxAttempts: Number.MAX_SAFE_INTEGER };
  return Math.min(retryDelayMs(patient, attempts - 1, random) ?? OUTAGE_DELAY_MS, OUTAGE_DELAY_MS);
}

/** True for a code that an outage explains: it says nothing about the request. */
export function isOutageCode(code: ErrorCode): boolean {
  return OUTAGE_CODES.includes(code);
}

/** The count of failures starts again when the last failure was longer ago than this. */
export function seriesEndsAfterMs(policy: RetryPolicy): number {
  return Math.max(10 * MINUTE, 2 * policy.maxDelayMs);
}
