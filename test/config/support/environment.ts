// A complete environment for the tests of the settings.
import { generateKeyPairSync } from 'node:crypto';

export type Variables = Record<string, string | undefined>;

const pem = { type: 'pkcs8', format: 'pem' } as const;
const publicPem = { type: 'spki', format: 'pem' } as const;

export const RSA = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: pem,
  publicKeyEncoding: publicPem,
});
export const ELLIPTIC = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: pem,
  publicKeyEncoding: publicPem,
});

const base64Key = (byte: number) => Buffer.alloc(32, byte).toString('base64');

/** Everything that is required, and nothing else. */
export const REQUIRED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://oncepay:pw-of-the-database@127.0.0.1:5432/oncepay',
  TEMPORAL_ADDRESS: '127.0.0.1:7233',
  PORT: '8080',
  WECHATPAY_APP_ID: 'wxd678efh567hg6787',
  WECHATPAY_MERCHANT_ID: '1900000001',
  WECHATPAY_MERCHANT_SERIAL: '5157F09EFDC096DE15EBE81A47057A7232F1B8E1',
  WECHATPAY_MERCHANT_PRIVATE_KEY: RSA.privateKey,
  WECHATPAY_API_V3_KEY: 'an-api-v3-key-of-thirty-two-byte',
  WECHATPAY_NOTIFY_URL: 'https://pay.shop.example/callbacks/wechat',
  ONCEPAY_API_KEYS: 'shop:merchant:key-of-the-shop,ops:operator:key-of-ops',
  ONCEPAY_ENCRYPTION_KEYS: `k2:${base64Key(2)},k1:${base64Key(1)}`,
  ONCEPAY_HASH_KEY: 'sixteen-or-more-characters',
};
