import type { Database } from '../database/database';
import type { ErrorCode } from '../domain/error-catalogue';
import type { WechatPayClient } from '../wechatpay/client';

export interface WechatActivityDeps {
  readonly database: Pick<Database, 'prepays' | 'closing' | 'queries' | 'runs'>;
  readonly wechatpay: Pick<WechatPayClient, 'prepay' | 'query' | 'close'>;
  readonly queryGapsMs: readonly number[];
  readonly now: () => number;
}

/** After this nothing of a request can still be under way: the client gives up at 8 s. */
export const ATTEMPT_LIFE_MS = 20_000;

/** Refusals that say something about our permission or settings, not about the order. */
const OF_SETTINGS: readonly ErrorCode[] = ['CONFIGURATION_ERROR', 'WECHAT_PERMISSION_DENIED'];

export function isOfSettings(code: ErrorCode): boolean {
  return OF_SETTINGS.includes(code);
}
