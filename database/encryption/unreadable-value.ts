// Describes an encrypted value that can't be decrypted, without a word of its content.
import type { FieldPlace } from './field-place';

/**
 * - `no_key`: `ONCEPAY_ENCRYPTION_KEYS` lacks the key that the value was encrypted with.
 * - `damaged`: the value was changed, cut off or moved, or the key's bytes are others.
 */
export type WhyUnreadable = 'no_key' | 'damaged';

/** A key id that is longer is no id of ours. */
const MAX_KEY_ID = 64;

/** An encrypted value can't be decrypted. It names the place and the key, and nothing else. */
export class UnreadableValueError extends Error {
  override readonly name = 'UnreadableValueError';
  readonly place: FieldPlace;
  readonly why: WhyUnreadable;
  readonly keyId: string;

  constructor(place: FieldPlace, why: WhyUnreadable, keyId: string) {
    const id = keyId.slice(0, MAX_KEY_ID);
    const cause =
      why === 'no_key'
        ? `ONCEPAY_ENCRYPTION_KEYS lacks the key ${id}`
        : `it was changed, or the key ${id} has other bytes than before`;
    super(`A value of ${place.table}.${place.column} can't be decrypted: ${cause}`);
    this.place = place;
    this.why = why;
    this.keyId = id;
  }

  /** `product_codes.code` */
  get column(): string {
    return `${this.place.table}.${this.place.column}`;
  }

  /** The facts for an intervention and for the log; the same for all values of a column and key. */
  get evidence() {
    return { column: this.column, key_id: this.keyId, why: this.why, message: this.message };
  }
}

/** Takes notice of values that can't be decrypted. */
export interface UnreadableValues {
  /** Opens an intervention, beside the caller's work, and logs it; once for all that are alike. */
  readonly report: (error: UnreadableValueError) => void;
  /** Logs a value whose intervention the caller has opened and committed. */
  readonly log: (error: UnreadableValueError, outTradeNo: string) => void;
}
