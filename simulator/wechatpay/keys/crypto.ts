// Keys, signatures and encryption from WeChat's side.
import {
  constants,
  createCipheriv,
  createHash,
  generateKeyPair,
  privateDecrypt,
  randomBytes,
  randomInt,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';

const RSA_BITS = 2048;
const GCM_NONCE_CHARACTERS = 12;
const TOKEN_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const generate = promisify(generateKeyPair);

/** A fresh RSA 2048 pair, as WeChat Pay asks for. Takes some 100 ms, off the main thread. */
export async function createKeyPair(): Promise<KeyPair> {
  return generate('rsa', { modulusLength: RSA_BITS });
}

/** RSA-SHA256 with PKCS#1 v1.5 padding, as Base64. */
export function signText(privateKey: KeyObject, text: string | Buffer): string {
  return sign('sha256', Buffer.from(text), privateKey).toString('base64');
}

/** True when `signature` (Base64) is the RSA-SHA256 signature of `text`. Never throws. */
export function isSignatureOf(
  publicKey: KeyObject,
  text: string | Buffer,
  signature: string,
): boolean {
  try {
    return verify('sha256', Buffer.from(text), publicKey, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

export interface EncryptedResource {
  readonly algorithm: 'AEAD_AES_256_GCM';
  readonly nonce: string;
  readonly associated_data: string;
  /** Base64 of the encrypted text, with the 16-byte tag at its end. */
  readonly ciphertext: string;
}

/**
 * Encrypts with the merchant's APIv3 key, as WeChat does for callbacks and platform certificates
 * (https://pay.weixin.qq.com/doc/v3/merchant/4012071382).
 */
export function encryptResource(
  apiV3Key: string,
  plaintext: string,
  associatedData: string,
): EncryptedResource {
  const nonce = randomToken(GCM_NONCE_CHARACTERS);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(apiV3Key), Buffer.from(nonce));
  cipher.setAAD(Buffer.from(associatedData));
  const encrypted = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  return {
    algorithm: 'AEAD_AES_256_GCM',
    nonce,
    associated_data: associatedData,
    ciphertext: Buffer.concat([encrypted, cipher.getAuthTag()]).toString('base64'),
  };
}

/**
 * Decrypts a field that was encrypted for WeChat: RSA-OAEP with SHA-1 in Base64. Null when this
 * key can't read it (https://pay.weixin.qq.com/doc/v3/merchant/4013053257).
 */
export function decryptField(privateKey: KeyObject, text: string): string | null {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  try {
    const key = { key: privateKey, padding, oaepHash: 'sha1' };
    return privateDecrypt(key, Buffer.from(text, 'base64')).toString();
  } catch {
    return null;
  }
}

/** Random letters and digits. */
export function randomToken(length: number): string {
  let token = '';
  for (const byte of randomBytes(length)) {
    token += TOKEN_ALPHABET.charAt(byte % TOKEN_ALPHABET.length);
  }
  return token;
}

/** Random decimal digits. */
export function randomDigits(length: number): string {
  let digits = '';
  for (let i = 0; i < length; i++) digits += String(randomInt(10));
  return digits;
}

/** SHA-256 in hex. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
