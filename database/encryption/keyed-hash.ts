// Hashes personal data and bodies with a key, so that rows can be compared without it.
import { createHmac } from 'node:crypto';

type Purpose =
  'user' | 'fingerprint' | 'body' | 'notice' | 'code' | 'refund' | 'account' | 'number';

/** Keyed hashes; the same text gives different hashes for different purposes. */
export interface KeyedHash {
  bytes(purpose: Purpose, text: string): Buffer;
  hex(purpose: Purpose, text: string): string;
}

/** HMAC-SHA-256 with the purpose as a prefix. Without the key nobody can guess the text. */
export function createKeyedHash(key: Buffer): KeyedHash {
  const hmac = (purpose: Purpose, text: string) =>
    createHmac('sha256', key).update(`${purpose}\0`).update(text);
  return {
    bytes: (purpose, text) => hmac(purpose, text).digest(),
    hex: (purpose, text) => hmac(purpose, text).digest('hex'),
  };
}
