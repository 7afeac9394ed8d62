// Percentiles of a histogram, against the exact ones.
import fc from 'fast-check';
import {
  BUCKETS_A_DOUBLING,
  countOf,
  FIRST_BOUND_MS,
  percentile,
} from '../../../domain/statistics/histogram';

/** The bucket of a time, as the database has it. */
const bucketOf = (ms: number) =>
  Math.ceil(BUCKETS_A_DOUBLING * Math.log2(Math.max(ms, FIRST_BOUND_MS) / FIRST_BOUND_MS));

function histogramOf(times: readonly number[]): Record<string, number> {
  const histogram: Record<string, number> = {};
  for (const ms of times) histogram[bucketOf(ms)] = (histogram[bucketOf(ms)] ?? 0) + 1;
  return histogram;
}

test('a percentile is within 10 % of the exact one, whatever the times', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.2, max: 86_400_000, noNaN: true }), { minLength: 1 }),
      fc.constantFrom(0.5, 0.95),
      (times, part) => {
        const sorted = [...times].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(times.length * part) - 1] ?? 0;
        const read = percentile(histogramOf(times), part) ?? 0;
        expect(Math.abs(read - exact) / exact).toBeLessThan(0.1);
      },
    ),
  );
});

test('merged histograms are the histogram of all times, and none has no percentile', () => {
  expect(countOf(histogramOf([1, 2, 1_000]))).toBe(3);
  expect(percentile({}, 0.5)).toBeNull();
  expect(percentile(histogramOf([0]), 0.5)).toBeLessThanOrEqual(FIRST_BOUND_MS);
});
