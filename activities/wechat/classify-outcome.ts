// Reads what a call to WeChat came to, for the steps of numbered requests.
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';

/** An outcome that settles nothing: WeChat refused the call, or the result is unknown. */
export type Unsettled = Exclude<WechatOutcome<unknown>, { kind: 'ok' }>;

/** True when WeChat doesn't know the number that it was queried about. */
export function isAbsent(outcome: Unsettled): boolean {
  return (
    outcome.kind === 'refused' &&
    (outcome.code === 'RESOURCE_NOT_EXISTS' || outcome.code === 'ORDER_NOT_EXIST')
  );
}

/** The code that an attempt's row keeps: WeChat's where it refused, else ours. */
export function codeOf(outcome: Unsettled): string {
  return outcome.kind === 'refused' ? outcome.wechatCode : outcome.code;
}
