// Signs the simulator's replies and callbacks as WeChat does.
import { randomUUID } from 'node:crypto';
import { randomToken, signText } from '../keys/crypto';
import type { SigningKey } from '../keys/merchants';

const NONCE_LENGTH = 32;

export interface SignatureHeaders {
  readonly 'Wechatpay-Timestamp': string;
  readonly 'Wechatpay-Nonce': string;
  readonly 'Wechatpay-Serial': string;
  readonly 'Wechatpay-Signature': string;
  readonly 'Wechatpay-Signature-Type': 'WECHATPAY2-SHA256-RSA2048';
}

/**
 * The headers with which WeChat signs a response or a callback: RSA-SHA256 over `TIMESTAMP
 * NONCE
 * BODY
 * ` (https://pay.weixin.qq.com/doc/v3/merchant/4013053420).
 *
 * @param body exactly the bytes that are sent; empty for a 204.
 */
export function signatureHeaders(key: SigningKey, body: string, nowMs: number): SignatureHeaders {
  const timestamp = String(Math.floor(nowMs / 1000));
  const nonce = randomToken(NONCE_LENGTH);
  return {
    'Wechatpay-Timestamp': timestamp,
    'Wechatpay-Nonce': nonce,
    'Wechatpay-Serial': key.serial,
    'Wechatpay-Signature': signText(key.privateKey, `${timestamp}\n${nonce}\n${body}\n`),
    'Wechatpay-Signature-Type': 'WECHATPAY2-SHA256-RSA2048',
  };
}

/** Valid Base64 of the right length that is no valid signature: one byte is inverted. */
export function forge(signature: string): string {
  const bytes = Buffer.from(signature, 'base64');
  const last = bytes.length - 1;
  bytes.writeUInt8(bytes.readUInt8(last) ^ 0xff, last);
  return bytes.toString('base64');
}

/** An id like WeChat's `Request-ID`, which its support asks for. */
export function createRequestId(): string {
  return randomUUID().replaceAll('-', '').toUpperCase();
}
