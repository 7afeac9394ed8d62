import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';

/** What the steps of money share: refunds, profit sharings, take-backs. */

export interface Attempt {
  readonly id: string;
  readonly requestId: string | null;
}
export type Unsettled = Exclude<WechatOutcome<unknown>, { kind: 'ok' }>;

/**
 * When WeChat is asked about what it works on, counted from its acceptance; then the gap doubles up to an
 * hour, for the days that a bank may take. A callback comes sooner.
 */
export const QUERY_GAPS_MS = [5_000, 15_000, 60_000, 300_000, 900_000];

/** True when WeChat doesn't know the number it was asked about. */
export function isAbsent(outcome: Unsettled): boolean {
  return (
    outcome.kind === 'refused' &&
    (outcome.code === 'RESOURCE_NOT_EXISTS' || outcome.code === 'ORDER_NOT_EXIST')
  );
}

/** What WeChat answered, in the words that an attempt's row keeps. */
export function codeOf(outcome: Unsettled): string {
  return outcome.kind === 'refused' ? outcome.wechatCode : outcome.code;
}
