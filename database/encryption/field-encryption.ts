// Encrypts columns that hold personal data.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** The place of an encrypted value. A value that is moved to another place can't be decrypted. */
export interface FieldPlace {
  readonly table: string;
  readonly column: string;
  /** The row's id; the application makes it before the insert. */
  readonly row: string;
}

/** Encrypts and decrypts the text of one column of one row. */
export interface FieldCipher {
  /** `v1.<key id>.<base64url of nonce, ciphertext and tag>` */
  encrypt(place: FieldPlace, text: string): string;
  /** @throws Error when the key is unknown, or the value was changed or moved. */
  decrypt(place: FieldPlace, value: string): string;
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
 */
export function createFieldCipher(
  keys: readonly { readonly id: string; readonly key: Buffer }[],
): FieldCipher {
  const [writing] = keys;
  if (!writing) throw new Error('At least one encryption key must be configured');
  const byId = new Map(keys.map(({ id, key }) => [id, key]));
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
    decrypt(place, value) {
      const [version, id = '', encoded = ''] = value.split('.');
      const key = byId.get(id);
      if (version !== VERSION || !key)
        throw new Error(`No configured key decrypts this value of ${place.table}`);
      const sealed = Buffer.from(encoded, 'base64url');
      if (sealed.length < NONCE_BYTES + TAG_BYTES)
        throw new Error(`A value of ${place.table} was cut off`);
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(associatedData(place));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      const text = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    },
  };
}
