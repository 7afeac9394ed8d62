import { createHmac } from 'node:crypto';

type Purpose =
  'user' | 'fingerprint' | 'body' | 'notice' | 'code' | 'refund' | 'account' | 'number';

export interface KeyedHash {
  bytes(purpose: Purpose, text: string): Buffer;
  hex(purpose: Purpose, text: string): string;
}

/** HMAC-SHA-256, kept apart by purpose: what is hashed can't be guessed without the key. */
export function createKeyedHash(key: Buffer): KeyedHash {
  const hmac = (purpose: Purpose, text: string) =>
    createHmac('sha256', key).update(`${purpose}\0`).update(text);
  return {
    bytes: (purpose, text) => hmac(purpose, text).digest(),
    hex: (purpose, text) => hmac(purpose, text).digest('hex'),
  };
}
