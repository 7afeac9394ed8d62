// Maps WeChat's error codes and HTTP statuses to the codes of our error catalogue.
import type { ErrorCode } from '../../../domain/error-catalogue';

const MAX_MESSAGE_LENGTH = 256;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const LONE_HALF_AT_END = /[\ud800-\udbff]$/;

/**
 * WeChat's codes of a refusal, in the spellings of all its pages, with our codes. Any code that is
 * not listed (PARAM_ERROR, INVALID_REQUEST, TRADE_ERROR, …) becomes WECHAT_REFUSED.
 *
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4012081606
 */
const REFUSALS = new Map<string, ErrorCode>([
  ['SIGN_ERROR', 'CONFIGURATION_ERROR'],
  ['APPID_MCHID_NOT_MATCH', 'CONFIGURATION_ERROR'],
  ['MCH_NOT_EXISTS', 'CONFIGURATION_ERROR'],
  ['NO_AUTH', 'WECHAT_PERMISSION_DENIED'],
  ['NOAUTH', 'WECHAT_PERMISSION_DENIED'],
  ['OUT_TRADE_NO_USED', 'OUT_TRADE_NO_USED'],
  ['ORDERPAID', 'ORDER_PAID'],
  ['ORDER_PAID', 'ORDER_PAID'],
  ['ORDERCLOSED', 'ORDER_CLOSED'],
  ['ORDER_CLOSED', 'ORDER_CLOSED'],
  ['ORDERNOTEXIST', 'ORDER_NOT_EXIST'],
  ['ORDER_NOT_EXIST', 'ORDER_NOT_EXIST'],
  ['RESOURCE_NOT_EXISTS', 'RESOURCE_NOT_EXISTS'],
  ['RESOURCE_NOT_EXIST', 'RESOURCE_NOT_EXISTS'],
  ['RESOURCENOTEXISTS', 'RESOURCE_NOT_EXISTS'],
  ['NOT_ENOUGH', 'NOT_ENOUGH'],
  ['NOTENOUGH', 'NOT_ENOUGH'],
  ['RULELIMIT', 'RULE_LIMIT'],
  ['RULE_LIMIT', 'RULE_LIMIT'],
  ['FREQUENCY_LIMITED', 'FREQUENCY_LIMITED'],
  ['FREQUENCY_LIMIT_EXCEED', 'FREQUENCY_LIMITED'],
  ['RATELIMIT_EXCEEDED', 'FREQUENCY_LIMITED'],
  ['USERPAYING', 'USER_PAYING'],
  ['USER_PAYING', 'USER_PAYING'],
  ['SYSTEM_ERROR', 'SYSTEM_ERROR'],
  ['SYSTEMERROR', 'SYSTEM_ERROR'],
  ['BANK_ERROR', 'BANK_ERROR'],
  ['BANKERROR', 'BANK_ERROR'],
]);

/**
 * The catalogue's code for a 4xx with WeChat's error body: by status first, then by code.
 *
 * @param wechatCode `code` of that body.
 */
export function refusalCode(status: number, wechatCode: string): ErrorCode {
  if (status === 401) return 'CONFIGURATION_ERROR';
  if (status === 429) return 'FREQUENCY_LIMITED';
  return REFUSALS.get(wechatCode) ?? 'WECHAT_REFUSED';
}

/**
 * Maps a response that decides nothing to a code of the catalogue.
 *
 * @param status 202, 3xx, 5xx, or a 4xx whose body is not WeChat's.
 * @param wechatCode null when the body is not WeChat's.
 */
export function undecidedCode(status: number, wechatCode: string | null): ErrorCode {
  const code = wechatCode === null ? undefined : REFUSALS.get(wechatCode);
  if (status === 202 && code === 'USER_PAYING') return 'USER_PAYING';
  if (status === 429) return 'FREQUENCY_LIMITED';
  if (status >= 500) return code === 'BANK_ERROR' ? 'BANK_ERROR' : 'SYSTEM_ERROR';
  // WeChat signed a 2xx that can't be read: it is not down, and may say it better next time.
  return status >= 300 ? 'NETWORK_ERROR' : 'NOT_YET';
}

/** A shorter value, like a name of one letter, would be found in other words too. */
const MIN_MASKED_LENGTH = 2;

/**
 * Shortens WeChat's message to one line of at most 256 characters, without control characters. The
 * message is kept and shown, and WeChat likes to quote the field that it refuses.
 *
 * @param personal values of the request that it must not quote: openids, names, addresses, cards.
 */
export function cleanMessage(message: string, personal: readonly string[] = []): string {
  const line = message.slice(0, 4 * MAX_MESSAGE_LENGTH).replaceAll(UNPRINTABLE, '');
  // The longest first: one value may be a part of another.
  const masked = personal
    .filter((value) => value.length >= MIN_MASKED_LENGTH)
    .toSorted((a, b) => b.length - a.length)
    .reduce((text, value) => text.replaceAll(value, '***'), line);
  return masked.slice(0, MAX_MESSAGE_LENGTH).replace(LONE_HALF_AT_END, '');
}
