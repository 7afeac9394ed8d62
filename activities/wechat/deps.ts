// The dependencies of activities that call WeChat, and the evidence of a failed call.
import type { Database } from '../../database/database';
import type { ErrorCode } from '../../domain/error-catalogue';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import type { FailureEvidence } from '../retries/failures';

/** The query schedule as it is now, in ms: an operator may change it at any time. */
export type QueryGaps = () => Promise<readonly number[]>;

export interface WechatActivityDeps {
  readonly database: Pick<Database, 'prepays' | 'closing' | 'queries' | 'noticeQueries' | 'runs'>;
  readonly wechatpay: Pick<WechatPayClient, 'prepay' | 'query' | 'queryRefund' | 'close'>;
  readonly queryGapsMs: QueryGaps;
  readonly now: () => number;
}

/** After this time nothing of a request can still be under way: the client ends its wait at 8 s. */
export const ATTEMPT_LIFE_MS = 20_000;

/**
 * Codes of refusals that are about the merchant's permissions or our settings, not about the order.
 */
const OF_SETTINGS: readonly ErrorCode[] = ['CONFIGURATION_ERROR', 'WECHAT_PERMISSION_DENIED'];

/** True when a refusal is about permissions or settings: no retry of this one order can help. */
export function isOfSettings(code: ErrorCode): boolean {
  return OF_SETTINGS.includes(code);
}

/** WeChat's response as evidence of an intervention; it has no personal data. */
export function evidenceOf(
  outcome: Exclude<WechatOutcome<unknown>, { kind: 'ok' }>,
): FailureEvidence {
  return {
    message: outcome.kind === 'refused' ? outcome.message : outcome.detail,
    wechat_code: outcome.wechatCode,
    status: outcome.status,
    request_id: outcome.requestId,
  };
}
