// Decides from a process's calls to WeChat whether WeChat is down.
// Sandbox: deterministic only.
import type { ErrorCode } from '../error-catalogue';

/** The sign of a call about the health of WeChat itself. */
export type CallSign =
  /** WeChat responded: it is up. */
  | 'definite'
  /** No response, or one that does not come from WeChat. */
  | 'no_connection'
  /** WeChat responded with a failure of its own, or with something that decides nothing. */
  | 'undecided'
  /** Our own limits stopped the call: it says nothing. */
  | 'none';

/** The failures in a row that one process has seen. */
export interface WechatHealth {
  readonly unconnected: number;
  readonly undecided: number;
  /** The numbers of the undecided calls, each once, no more than the decision needs. */
  readonly numbers: readonly string[];
}

export const HEALTHY: WechatHealth = { unconnected: 0, undecided: 0, numbers: [] };

/** So many calls in a row without a connection are an outage, even if all are about one order. */
const DOWN_AFTER_UNCONNECTED = 5;
/**
 * WeChat may fail for one order alone, so undecided calls must be about several to be an outage.
 */
const DOWN_AFTER_UNDECIDED = { calls: 10, numbers: 5 } as const;

/**
 * Reads the outcome of a call as a sign about WeChat's health.
 * @param call.wechatCode the code in WeChat's own error body; null without one
 */
export function signOf(call: {
  readonly outcome: 'ok' | 'refused' | 'unknown';
  readonly code: ErrorCode | null;
  readonly wechatCode: string | null;
}): CallSign {
  if (call.outcome !== 'unknown') return 'definite';
  switch (call.code) {
    case 'TEMPORARY_FAILURE':
      return 'none';
    case 'USER_PAYING':
    case 'FREQUENCY_LIMITED':
      return 'definite';
    case 'RESPONSE_FORGED':
    case 'NOT_YET':
      return 'undecided';
    default:
      return call.wechatCode === null ? 'no_connection' : 'undecided';
  }
}

/** The health after one more call. */
export function noteCall(health: WechatHealth, sign: CallSign, number: string): WechatHealth {
  switch (sign) {
    case 'none':
      return health;
    case 'definite':
      return HEALTHY;
    case 'no_connection':
      return { ...withNumber(health, number), unconnected: health.unconnected + 1 };
    case 'undecided':
      return { ...withNumber(health, number), unconnected: 0 };
  }
}

function withNumber(health: WechatHealth, number: string): WechatHealth {
  const enough = health.numbers.length >= DOWN_AFTER_UNDECIDED.numbers;
  const numbers =
    enough || health.numbers.includes(number) ? health.numbers : [...health.numbers, number];
  return { ...health, undecided: health.undecided + 1, numbers };
}

/** True when the failures mean an outage, and not a problem of one order. */
export function looksDown({ unconnected, undecided, numbers }: WechatHealth): boolean {
  return (
    unconnected >= DOWN_AFTER_UNCONNECTED ||
    (undecided >= DOWN_AFTER_UNDECIDED.calls && numbers.length >= DOWN_AFTER_UNDECIDED.numbers)
  );
}
