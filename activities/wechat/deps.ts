import type { Database } from '../../database/database';
import type { ErrorCode } from '../../domain/error-catalogue';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import type { FailureEvidence } from '../retries/failures';

/** The query schedule as it stands now: an operator may change it at any time. */
export type QueryGaps = () => Promise<readonly number[]>;

export interface WechatActivityDeps {
  readonly database: Pick<Database, 'prepays' | 'closing' | 'queries' | 'runs'>;
  readonly wechatpay: Pick<WechatPayClient, 'prepay' | 'query' | 'queryRefund' | 'close'>;
  readonly queryGapsMs: QueryGaps;
  readonly now: () => number;
}

/** After this nothing of a request can still be under way: the client gives up at 8 s. */
export const ATTEMPT_LIFE_MS = 20_000;

/** Refusals that say something about our permission or settings, not about the order. */
const OF_SETTINGS: readonly ErrorCode[] = ['CONFIGURATION_ERROR', 'WECHAT_PERMISSION_DENIED'];

export function isOfSettings(code: ErrorCode): boolean {
  return OF_SETTINGS.includes(code);
}

/** What WeChat answered, for the person who may be asked; no personal data is in it. */
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
