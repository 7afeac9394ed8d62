// The channels of orders, and the API of WeChat Pay that each one uses.
// Sandbox: deterministic only.

/**
 * The places where an order can come from. The two digits are part of the order number; `api` is
 * the API of WeChat Pay v3 that makes the prepay (`POST /v3/pay/transactions/{api}`).
 */
export const CHANNELS = {
  miniprogram: { digits: '01', api: 'jsapi', needsOpenid: true, needsClientIp: false },
  h5: { digits: '02', api: 'h5', needsOpenid: false, needsClientIp: true },
  app: { digits: '03', api: 'app', needsOpenid: false, needsClientIp: false },
  admin: { digits: '04', api: 'native', needsOpenid: false, needsClientIp: false },
  official_account: { digits: '05', api: 'jsapi', needsOpenid: true, needsClientIp: false },
} as const;

export type Channel = keyof typeof CHANNELS;
export type PrepayApi = (typeof CHANNELS)[Channel]['api'];

export const CHANNEL_NAMES = Object.keys(CHANNELS) as [Channel, ...Channel[]];

/**
 * How long the result of a prepay can be used, in ms: `prepay_id`, `code_url` 2 h, `h5_url` 5 min.
 */
export const PREPAY_LIFE_MS: Readonly<Record<PrepayApi, number>> = {
  jsapi: 2 * 60 * 60_000,
  app: 2 * 60 * 60_000,
  native: 2 * 60 * 60_000,
  h5: 5 * 60_000,
};
