// Times as a histogram: many of them are merged, and a percentile is read with a known error.
// Sandbox: deterministic only.

/** The shortest time that has a bucket of its own, in ms. */
export const FIRST_BOUND_MS = 0.1;
/** So many buckets double the bound: a percentile is within ±9 % of the true time. */
export const BUCKETS_A_DOUBLING = 4;

/** By the number of a bucket: how many times lie in it. Bucket 0 ends at {@link FIRST_BOUND_MS}. */
export type Histogram = Readonly<Record<string, number>>;

/** The upper bound of a bucket, in ms. */
const boundOf = (bucket: number) => FIRST_BOUND_MS * 2 ** (bucket / BUCKETS_A_DOUBLING);

/** How many times a histogram holds. */
export function countOf(histogram: Histogram): number {
  return Object.values(histogram).reduce((sum, one) => sum + one, 0);
}

/**
 * The time below which a part of all times lies: the middle of its bucket, in ms.
 * @param part 0.95 for the 95th percentile
 * @returns null when there are no times
 */
export function percentile(histogram: Histogram, part: number): number | null {
  const buckets = Object.keys(histogram)
    .map(Number)
    .sort((a, b) => a - b);
  const wanted = countOf(histogram) * part;
  let seen = 0;
  for (const bucket of buckets) {
    seen += histogram[bucket] ?? 0;
    if (seen >= wanted) return Math.sqrt(boundOf(bucket - 1) * boundOf(bucket));
  }
  return null;
}
