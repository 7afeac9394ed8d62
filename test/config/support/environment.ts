// A complete environment for the tests of the settings.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { ConfigurationError, loadSettings } from '../../../config/settings';

export type Variables = Record<string, string | undefined>;

const pem = { type: 'pkcs8', format: 'pem' } as const;
const publicPem = { type: 'spki', format: 'pem' } as const;

/** Makes an RSA key pair as PEM text. */
export const makeRsa = (modulusLength: number) =>
  generateKeyPairSync('rsa', {
    modulusLength,
    privateKeyEncoding: pem,
    publicKeyEncoding: publicPem,
  });
/** The merchant's keys. */
export const RSA = makeRsa(2048);
/** The keys of WeChat Pay. */
export const WECHAT_RSA = makeRsa(2048);
export const ELLIPTIC = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: pem,
  publicKeyEncoding: publicPem,
});

/** The encryption keys: the first writes. */
export const ENCRYPTION_KEYS = [
  { id: 'k2', key: randomBytes(32) },
  { id: 'k1', key: randomBytes(32) },
] as const;
const secret = () => randomBytes(24).toString('base64url');
/** The secrets of the API keys. */
export const API_SECRETS = { shop: secret(), root: secret() } as const;

/** Everything that is required, and nothing else; production accepts it. */
export const REQUIRED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://oncepay:pw-of-the-database@127.0.0.1:5432/oncepay',
  TEMPORAL_ADDRESS: '127.0.0.1:7233',
  PORT: '8080',
  WECHATPAY_APP_ID: 'wxd678efh567hg6787',
  WECHATPAY_MERCHANT_ID: '1900000001',
  WECHATPAY_MERCHANT_SERIAL: '5157F09EFDC096DE15EBE81A47057A7232F1B8E1',
  WECHATPAY_MERCHANT_PRIVATE_KEY: RSA.privateKey,
  WECHATPAY_API_V3_KEY: randomBytes(16).toString('hex'),
  WECHATPAY_NOTIFY_URL: 'https://pay.shop.example/callbacks/wechat',
  ONCEPAY_API_KEYS: `shop:merchant:${API_SECRETS.shop},root:admin:${API_SECRETS.root}`,
  ONCEPAY_ENCRYPTION_KEYS: ENCRYPTION_KEYS.map(
    ({ id, key }) => `${id}:${key.toString('base64')}`,
  ).join(','),
  ONCEPAY_HASH_KEY: randomBytes(32).toString('base64'),
};

/** The lines of the one message, without its first; empty when the environment is accepted. */
export function problems(env: Variables): string[] {
  try {
    loadSettings(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
}
