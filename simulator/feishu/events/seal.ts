// Encrypts and signs what Feishu posts to the app.
import { createCipheriv, createHash, randomBytes } from 'node:crypto';

/** A fault in an event on its way out. */
export const FORGERIES = ['signature', 'token', 'stale'] as const;
export type Forgery = (typeof FORGERIES)[number];

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();

/**
 * AES-256-CBC with the SHA-256 of the Encrypt Key; the first 16 bytes are the IV.
 * @returns Base64
 */
export function encrypt(encryptKey: string, text: string): string {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', sha256(encryptKey), iv);
  return Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final()]).toString('base64');
}

/** The body that is posted: encrypted where there is an Encrypt Key. */
export function sealBody(encryptKey: string | null, content: object): string {
  const text = JSON.stringify(content);
  return encryptKey === null ? text : JSON.stringify({ encrypt: encrypt(encryptKey, text) });
}

/**
 * `X-Lark-Signature` is the SHA-256 of timestamp, nonce, Encrypt Key and raw body. Without an
 * Encrypt Key Feishu signs nothing.
 */
export function signatureHeaders(
  encryptKey: string | null,
  body: string,
  nowMs: number,
): Record<string, string> {
  if (encryptKey === null) return {};
  const timestamp = String(Math.floor(nowMs / 1000));
  const nonce = randomBytes(8).toString('hex');
  return {
    'X-Lark-Request-Timestamp': timestamp,
    'X-Lark-Request-Nonce': nonce,
    'X-Lark-Signature': sha256(timestamp + nonce + encryptKey + body).toString('hex'),
  };
}
