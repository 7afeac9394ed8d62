// Makes up the credentials of a merchant, and the environment that goes with them.
import { createSerial } from './certificate';
import { createKeyPair, randomDigits, randomToken } from './crypto';
import type { PlatformKeyMode, SimulatorMerchant } from '../options';

/**
 * All credentials that a merchant gets from WeChat's merchant platform, made up. Keys are PEM
 * text.
 */
export interface MerchantCredentials {
  readonly appId: string;
  readonly merchantId: string;
  readonly merchantSerial: string;
  readonly merchantPrivateKeyPem: string;
  readonly merchantPublicKeyPem: string;
  readonly apiV3Key: string;
}

/** A merchant that exists only here: fresh keys and numbers of WeChat's lengths. */
export async function createMerchantCredentials(): Promise<MerchantCredentials> {
  const keys = await createKeyPair();
  return {
    appId: `wx${randomToken(16).toLowerCase()}`,
    merchantId: `16${randomDigits(8)}`,
    merchantSerial: createSerial(),
    merchantPrivateKeyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    merchantPublicKeyPem: keys.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    apiV3Key: randomToken(32),
  };
}

/** The simulator's side of made-up credentials, for `SimulatorOptions.merchants`. */
export function merchantFor(
  credentials: MerchantCredentials,
  mode: PlatformKeyMode = 'public_key',
): SimulatorMerchant {
  return {
    merchantId: credentials.merchantId,
    appIds: [credentials.appId],
    merchantSerial: credentials.merchantSerial,
    merchantPublicKey: credentials.merchantPublicKeyPem,
    apiV3Key: credentials.apiV3Key,
    mode,
  };
}

export interface EnvironmentSource {
  readonly url: string;
  publicKeyOf(merchantId?: string): { readonly id: string; readonly pem: string } | null;
}

/**
 * The `WECHATPAY_*` environment with which Oncepay talks to a running simulator. PEM texts are one
 * line with `\n` escapes. Without `WECHATPAY_PUBLIC_KEY…` in certificate mode.
 */
export function wechatpayEnvironment(
  simulator: EnvironmentSource,
  credentials: MerchantCredentials,
  notifyUrl: string,
): Record<string, string> {
  const publicKey = simulator.publicKeyOf(credentials.merchantId);
  return {
    WECHATPAY_BASE_URL: simulator.url,
    WECHATPAY_APP_ID: credentials.appId,
    WECHATPAY_MERCHANT_ID: credentials.merchantId,
    WECHATPAY_MERCHANT_SERIAL: credentials.merchantSerial,
    WECHATPAY_MERCHANT_PRIVATE_KEY: oneLine(credentials.merchantPrivateKeyPem),
    WECHATPAY_API_V3_KEY: credentials.apiV3Key,
    WECHATPAY_NOTIFY_URL: notifyUrl,
    ...(publicKey === null
      ? {}
      : {
          WECHATPAY_PUBLIC_KEY_ID: publicKey.id,
          WECHATPAY_PUBLIC_KEY: oneLine(publicKey.pem),
        }),
  };
}

function oneLine(pem: string): string {
  return pem.trim().replaceAll('\n', '\\n');
}
