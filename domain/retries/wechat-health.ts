import type { ErrorCode } from '../error-catalogue';

/** What a call to WeChat said about WeChat itself. */
export type CallSign =
  /** WeChat answered: it is there. */
  | 'definite'
  /** No answer, or one that is not WeChat's. */
  | 'no_connection'
  /** WeChat answered that it failed, or something that decides nothing. */
  | 'undecided'
  /** Our own limits: nothing is said. */
  | 'none';

/** The failures in a row that one process has seen. */
export interface WechatHealth {
  readonly unconnected: number;
  readonly undecided: number;
  /** Whom the undecided ones concerned, each once, no more than are needed. */
  readonly numbers: readonly string[];
}

export const HEALTHY: WechatHealth = { unconnected: 0, undecided: 0, numbers: [] };

/** So many calls in a row that never reached WeChat are an outage, whoever they concern. */
const DOWN_AFTER_UNCONNECTED = 5;
/** An order that WeChat stumbles over is no outage: undecided answers have to concern several. */
const DOWN_AFTER_UNDECIDED = { calls: 10, numbers: 5 } as const;

/**
 * Reads the sign in an outcome.
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

/** True when what was seen is an outage and not the trouble of one order. */
export function looksDown({ unconnected, undecided, numbers }: WechatHealth): boolean {
  return (
    unconnected >= DOWN_AFTER_UNCONNECTED ||
    (undecided >= DOWN_AFTER_UNDECIDED.calls && numbers.length >= DOWN_AFTER_UNDECIDED.numbers)
  );
}
