// Makes a JavaScript number of a 64-bit counter.

/**
 * A counter as the API shows it: a JSON number. Counters are 64-bit in the database; beyond 2^53 a
 * double would change their digits, so they are shown as at most ±(2^53 − 1).
 */
export function shownCount(value: bigint): number {
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  if (value > most) return Number.MAX_SAFE_INTEGER;
  return value < -most ? -Number.MAX_SAFE_INTEGER : Number(value);
}
