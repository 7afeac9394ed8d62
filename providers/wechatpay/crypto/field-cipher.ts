// Encrypts single fields, such as a name or a bank account, so that only WeChat can read them.
import { constants, publicEncrypt, type KeyObject } from 'node:crypto';

/**
 * Encrypts one field that WeChat wants hidden (a name, an account): RSA-OAEP with SHA-1, in Base64.
 * The request's `Wechatpay-Serial` has to name `key`.
 *
 * @param key WeChat's public key, or that of a platform certificate.
 * @throws Error of `node:crypto` when the text is too long for the key: 214 bytes for RSA 2048.
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4013053257
 */
export function encryptField(text: string, key: KeyObject): string {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt({ key, padding, oaepHash: 'sha1' }, Buffer.from(text)).toString('base64');
}
