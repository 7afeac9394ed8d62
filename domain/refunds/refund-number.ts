// Makes the numbers of refunds that the caller gave no number.
// Sandbox: deterministic only.

/** WeChat's limit for the length of `out_refund_no`. */
const MAX_LENGTH = 64;
/** Prefix of the numbers that Oncepay makes; a caller's own number may not start with it. */
export const OWN_PREFIX = 'op_';

/**
 * The number of the refund of all that is left of a payment. It is made from WeChat's transaction
 * id, so that each request for it means the same refund: a second number would pay twice.
 */
export function refundNumberOf(transactionId: string): string {
  return `${OWN_PREFIX}${transactionId.slice(-(MAX_LENGTH - OWN_PREFIX.length - 4))}`;
}

/**
 * The number of a refund whose request names none. It is made from the caller's Idempotency-Key, so
 * that a repeat means the same refund at any time, also after the key itself was deleted.
 * @param keyHash keyed hash, in hex, of the caller and the key
 */
export function refundNumberFromKey(keyHash: string): string {
  return `${OWN_PREFIX}${keyHash.slice(0, 40)}`;
}

/**
 * The number of the refund that replaces one which WeChat has closed. It is made from the old
 * number, so that repeated resolutions give one new number.
 */
export function replacementNumber(outRefundNo: string): string {
  // Only in our own numbers the end is a count: a caller's `s-2` is not the second `s`.
  const isOwn = outRefundNo.startsWith(OWN_PREFIX);
  const [, stem = outRefundNo, count = '1'] =
    (isOwn ? /^(.*)-(\d{1,3})$/.exec(outRefundNo) : null) ?? [];
  const suffix = `-${Number(count) + 1}`;
  const own = isOwn ? stem : `${OWN_PREFIX}${stem}`;
  return `${own.slice(0, MAX_LENGTH - suffix.length)}${suffix}`;
}
