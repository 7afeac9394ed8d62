// Decrypts what WeChat encrypts with the merchant's APIv3 key.
import { createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';

export const RESOURCE_ALGORITHM = 'AEAD_AES_256_GCM';

/** WeChat's nonce is twelve characters of ASCII. */
export const RESOURCE_NONCE_BYTES = 12;

const TAG_BYTES = 16;
const API_V3_KEY_BYTES = 32;

/** A text that WeChat encrypted with the APIv3 key: a callback's `resource`, or a certificate. */
export interface SealedResource {
  /** Base64; the last 16 bytes are the tag. */
  readonly ciphertext: string;
  readonly nonce: string;
  /** May be empty or absent. */
  readonly associatedData?: string | null | undefined;
}

/**
 * Makes the APIv3 keys ready for use, the current one first.
 *
 * @throws RangeError when there is none, or one has not 32 bytes.
 */
export function readApiV3Keys(keys: readonly Buffer[]): readonly KeyObject[] {
  if (keys.length === 0) throw new RangeError('an APIv3 key is required');
  return keys.map((key) => {
    if (key.length !== API_V3_KEY_BYTES) throw new RangeError('an APIv3 key has 32 bytes');
    return createSecretKey(key);
  });
}

/**
 * Decrypts AEAD_AES_256_GCM with the first key that fits: during a rotation the current and the
 * previous key are both in use. Null when none does, or when the text was tampered with.
 *
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4012071382
 */
export function openResource(resource: SealedResource, keys: readonly KeyObject[]): Buffer | null {
  const sealed = Buffer.from(resource.ciphertext, 'base64');
  const nonce = Buffer.from(resource.nonce);
  // Below 17 bytes there is no text, only (a part of) a tag, and Node would take a shorter one.
  if (sealed.length <= TAG_BYTES || nonce.length !== RESOURCE_NONCE_BYTES) return null;
  const text = sealed.subarray(0, sealed.length - TAG_BYTES);
  const tag = sealed.subarray(sealed.length - TAG_BYTES);
  for (const key of keys) {
    const opened = openWith(key, {
      text,
      tag,
      nonce,
      associatedData: resource.associatedData ?? '',
    });
    if (opened !== null) return opened;
  }
  return null;
}

function openWith(
  key: KeyObject,
  sealed: { text: Buffer; tag: Buffer; nonce: Buffer; associatedData: string },
): Buffer | null {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.tag);
  if (sealed.associatedData !== '') decipher.setAAD(Buffer.from(sealed.associatedData));
  const opened = decipher.update(sealed.text);
  try {
    // The tag is compared here and nowhere else. GCM is a stream: nothing is left to come out.
    decipher.final();
  } catch {
    return null;
  }
  return opened;
}
