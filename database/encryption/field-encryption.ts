// Encrypts columns that hold personal data.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { FieldPlace } from './field-place';
import { UnreadableValueError } from './unreadable-value';

/** Encrypts and decrypts the text of one column of one row. */
export interface FieldCipher {
  /** `v1.<key id>.<base64url of nonce, ciphertext and tag>` */
  encrypt(place: FieldPlace, text: string): string;
  /**
   * Decrypts a value that something is done with.
   * @throws UnreadableValueError when the key is missing, or the value was changed or moved
   */
  decrypt(place: FieldPlace, value: string): string;
  /**
   * Decrypts a value that is only shown.
   * @returns null when it can't be decrypted, which is reported
   */
  show(place: FieldPlace, value: string): string | null;
}

const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function associatedData(place: FieldPlace): Buffer {
  return Buffer.from(JSON.stringify([place.table, place.column, place.row]));
}

/**
 * AES-256-GCM for columns with personal data. The first key encrypts; all keys decrypt. The value
 * holds the key's id, and its associated data are table, column and row (NIST SP 800-38D).
 * @param onUnreadable called with each shown value that can't be decrypted
 */
export function createFieldCipher(
  keys: readonly { readonly id: string; readonly key: Buffer }[],
  onUnreadable: (error: UnreadableValueError) => void = () => undefined,
): FieldCipher {
  const [writing] = keys;
  if (!writing) throw new Error('At least one encryption key must be configured');
  const byId = new Map(keys.map(({ id, key }) => [id, key]));

  function decrypt(place: FieldPlace, value: string): string {
    const [version, id = '', encoded = ''] = value.split('.');
    const key = byId.get(id);
    if (version !== VERSION || !key) throw new UnreadableValueError(place, 'no_key', id);
    try {
      return unseal(place, key, Buffer.from(encoded, 'base64url'));
    } catch {
      throw new UnreadableValueError(place, 'damaged', id);
    }
  }

  return {
    encrypt(place, text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', writing.key, nonce);
      cipher.setAAD(associatedData(place));
      const sealed = Buffer.concat([
        nonce,
        cipher.update(text, 'utf8'),
        cipher.final(),
        cipher.getAuthTag(),
      ]);
      return `${VERSION}.${writing.id}.${sealed.toString('base64url')}`;
    },
    decrypt,
    show(place, value) {
      try {
        return decrypt(place, value);
      } catch (error) {
        if (!(error instanceof UnreadableValueError)) throw error;
        onUnreadable(error);
        return null;
      }
    },
  };
}

/** @throws Error when the value was cut off, changed or moved */
function unseal(place: FieldPlace, key: Buffer, sealed: Buffer): string {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new Error('The value was cut off');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(associatedData(place));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const text = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
  return Buffer.concat([text, decipher.final()]).toString('utf8');
}
