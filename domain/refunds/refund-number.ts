/** WeChat's limit for `out_refund_no`. */
const MAX_LENGTH = 64;
/** Numbers that Oncepay makes; a caller's own may not start with it. */
export const OWN_PREFIX = 'op_';

/**
 * The number of the refund that gives a whole transaction back: one per transaction, so that whoever
 * asks for it, and however often, it is the same refund (a new number would pay twice).
 */
export function refundNumberOf(transactionId: string): string {
  return `${OWN_PREFIX}${transactionId.slice(-(MAX_LENGTH - OWN_PREFIX.length - 4))}`;
}

/**
 * The number of a refund that its caller gave none: from the caller's key, so that a repeat is the same
 * refund for ever, also when the key itself is long forgotten.
 * @param keyHash keyed hash in hex of who asked and of the key
 */
export function refundNumberFromKey(keyHash: string): string {
  return `${OWN_PREFIX}${keyHash.slice(0, 40)}`;
}

/**
 * The number that takes the place of one that WeChat has closed: made from it, so that a new number is
 * made once, however often a person asks.
 */
export function replacementNumber(outRefundNo: string): string {
  // Only of a number of ours the end is a count: a caller's `s-2` is not the second `s`.
  const isOwn = outRefundNo.startsWith(OWN_PREFIX);
  const [, stem = outRefundNo, count = '1'] =
    (isOwn ? /^(.*)-(\d{1,3})$/.exec(outRefundNo) : null) ?? [];
  const suffix = `-${Number(count) + 1}`;
  const own = isOwn ? stem : `${OWN_PREFIX}${stem}`;
  return `${own.slice(0, MAX_LENGTH - suffix.length)}${suffix}`;
}
