// Decrypts the events that Feishu sends while the app has an Encrypt Key.
import { createDecipheriv, createHash } from 'node:crypto';

const IV_BYTES = 16;

/**
 * Decrypts the field `encrypt` of an event: AES-256-CBC, the key is the SHA-256 of the Encrypt Key,
 * the first 16 bytes are the initialization vector, the padding is PKCS#7.
 * @returns null when it can't be decrypted with this key
 */
export function decryptEvent(encrypted: string, encryptKey: string): string | null {
  const bytes = Buffer.from(encrypted, 'base64');
  const key = createHash('sha256').update(encryptKey).digest();
  try {
    const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(0, IV_BYTES));
    const parts = [decipher.update(bytes.subarray(IV_BYTES)), decipher.final()];
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    return null;
  }
}
