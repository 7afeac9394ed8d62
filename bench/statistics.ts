// Median and quantiles.
/** The middle value; for an even count the mean of the two middle values. NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (upper + lower) / 2;
}

/**
 * The smallest value that a share of `q` (0 … 1) of the values does not exceed. NaN for an empty
 * list.
 */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** The median of a number that each turn has. */
export function medianOf<T>(turns: readonly T[], valueOf: (turn: T) => number): number {
  return median(turns.map(valueOf));
}
