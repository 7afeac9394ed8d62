// WeChat's side for tests: keys, certificates, encrypted and signed callbacks.
import { createCipheriv, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { signAsWechat } from '../../../../providers/wechatpay/crypto/signature';
import { makeCertificate } from './certificate';

export const NOW_MS = Date.parse('2026-11-23T10:00:00+08:00');
export const NOW_SECONDS = NOW_MS / 1000;

export const MERCHANT_ID = '1900000109';
export const APP_ID = 'wxd678efh567hg6787';
export const MERCHANT_SERIAL = '3775B6A45ACD588826D15E583A95F5DD00000001';
export const PUBLIC_KEY_ID = 'PUB_KEY_ID_0119000001092026112300000001';
export const API_V3_KEY = Buffer.from('0123456789abcdef0123456789abcdef');
export const OLD_API_V3_KEY = Buffer.from('fedcba9876543210fedcba9876543210');

const DAY_MS = 24 * 60 * 60_000;

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function makeKeyPair(): KeyPair {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** A platform certificate of WeChat with its private key, valid around {@link NOW_MS}. */
export interface Platform extends KeyPair {
  readonly serial: string;
  readonly pem: string;
}

export function makePlatform(
  serial: string,
  dates: { notBeforeMs?: number; notAfterMs?: number } = {},
): Platform {
  const pair = makeKeyPair();
  const pem = makeCertificate({
    serial,
    privateKey: pair.privateKey,
    notBefore: new Date(dates.notBeforeMs ?? NOW_MS - DAY_MS),
    notAfter: new Date(dates.notAfterMs ?? NOW_MS + DAY_MS),
  });
  return { ...pair, serial, pem };
}

export interface Sealed {
  readonly algorithm: string;
  readonly ciphertext: string;
  readonly nonce: string;
  readonly associated_data?: string;
}

/** Encrypts as WeChat does; `associatedData` undefined leaves the field out. */
export function seal(text: string, key: Buffer, associatedData?: string): Sealed {
  const nonce = randomBytes(6).toString('hex');
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.from(nonce));
  if (associatedData !== undefined) cipher.setAAD(Buffer.from(associatedData));
  const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  return {
    algorithm: 'AEAD_AES_256_GCM',
    ciphertext: sealed.toString('base64'),
    nonce,
    ...(associatedData === undefined ? {} : { associated_data: associatedData }),
  };
}

/** The response of `GET /v3/certificates`. */
export function certificatesBody(platforms: readonly Platform[], key = API_V3_KEY): string {
  return JSON.stringify({
    data: platforms.map(({ serial, pem }) => ({
      serial_no: serial,
      effective_time: '2026-11-22T10:00:00+08:00',
      expire_time: '2026-11-24T10:00:00+08:00',
      encrypt_certificate: seal(pem, key, 'certificate'),
    })),
  });
}

export const PAYMENT = {
  mchid: MERCHANT_ID,
  appid: APP_ID,
  out_trade_no: '2026112301000AB12CD345',
  transaction_id: '4200001234202611230000000001',
  trade_type: 'JSAPI',
  trade_state: 'SUCCESS',
  trade_state_desc: '支付成功',
  bank_type: 'OTHERS',
  success_time: '2026-11-23T09:59:58+08:00',
  payer: { openid: 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o' },
  amount: { total: 1230, payer_total: 1200, currency: 'CNY', payer_currency: 'CNY' },
};

/** A callback's body; `resource` is the text that gets encrypted. */
export function envelope(
  resource: string,
  options: { key?: Buffer; associatedData?: string; eventType?: string; id?: string } = {},
): string {
  return JSON.stringify({
    id: options.id ?? 'EV-2018022511223320873',
    create_time: '2026-11-23T09:59:59+08:00',
    event_type: options.eventType ?? 'TRANSACTION.SUCCESS',
    resource_type: 'encrypt-resource',
    summary: '支付成功',
    resource: {
      original_type: 'transaction',
      ...seal(resource, options.key ?? API_V3_KEY, options.associatedData),
    },
  });
}

/** The four headers, signed now with `pair`. */
export function signedHeaders(
  rawBody: string | Buffer,
  signer: { privateKey: KeyObject; serial: string },
  timestamp: number | string = NOW_SECONDS,
): Record<string, string> {
  return signAsWechat({
    rawBody,
    timestamp,
    nonce: randomBytes(16).toString('hex'),
    serial: signer.serial,
    privateKey: signer.privateKey,
  });
}
