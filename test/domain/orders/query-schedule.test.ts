// Tests when WeChat is queried about a payment.
import fc from 'fast-check';
import { MAX_QUERY_GAP_MS, nextQueryAt } from '../../../domain/orders/query-schedule';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const GAPS = [30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE];
const PREPAID_AT = Date.parse('2026-11-23T12:00:00Z');

function firstQueries(count: number, gapsMs: readonly number[]): number[] {
  const times: number[] = [];
  let now = PREPAID_AT;
  for (let i = 0; i < count; i += 1) {
    now = nextQueryAt(PREPAID_AT, now, gapsMs);
    times.push(now - PREPAID_AT);
  }
  return times;
}

describe('the query schedule', () => {
  test('queries come after the gaps 30 s, 1, 2, 5, 10, then 20, 40, then 60 m each', () => {
    expect(firstQueries(10, GAPS)).toEqual([
      30 * SECOND,
      90 * SECOND,
      3 * MINUTE + 30 * SECOND,
      8 * MINUTE + 30 * SECOND,
      18 * MINUTE + 30 * SECOND,
      38 * MINUTE + 30 * SECOND,
      78 * MINUTE + 30 * SECOND,
      138 * MINUTE + 30 * SECOND,
      198 * MINUTE + 30 * SECOND,
      258 * MINUTE + 30 * SECOND,
    ]);
  });

  test.each([
    ['one gap doubles', [MINUTE], [1, 3, 7, 15, 31, 63, 123, 183]],
    ['a gap of 40 m goes on at 60 m', [40 * MINUTE], [40, 100, 160, 220]],
    ['a configured gap above the maximum is kept, the next is the maximum', [2 * HOUR], [120, 180]],
    ['no gap at all is the maximum', [], [60, 120, 180]],
  ])('the query schedule with another list of gaps: %s', (_what, gaps, minutes) => {
    const expected = minutes.map((m) => m * MINUTE);
    expect(firstQueries(minutes.length, gaps)).toEqual(expected);
  });

  test.each([
    ['before the prepay', -5 * MINUTE, 30 * SECOND],
    ['at the prepay', 0, 30 * SECOND],
    ['a moment before a query', 30 * SECOND - 1, 30 * SECOND],
    ['at the moment of a query', 30 * SECOND, 90 * SECOND],
    ['a moment after it', 30 * SECOND + 1, 90 * SECOND],
    ['after several were missed', 10 * MINUTE, 18 * MINUTE + 30 * SECOND],
  ])('%s the next query is the first time still to come', (_what, sinceMs, expected) => {
    expect(nextQueryAt(PREPAID_AT, PREPAID_AT + sinceMs, GAPS) - PREPAID_AT).toBe(expected);
  });

  const gapLists = fc.array(fc.integer({ min: 1, max: MAX_QUERY_GAP_MS }), {
    minLength: 1,
    maxLength: 12,
  });
  const since = fc.integer({ min: 0, max: 400 * 24 * HOUR });

  test('the next query is always later than now, by the largest gap at most', () => {
    fc.assert(
      fc.property(gapLists, since, (gaps, sinceMs) => {
        const now = PREPAID_AT + sinceMs;
        const next = nextQueryAt(PREPAID_AT, now, gaps);
        expect(next).toBeGreaterThan(now);
        expect(next - now).toBeLessThanOrEqual(MAX_QUERY_GAP_MS);
      }),
    );
  });

  test('the next query equals the one found by adding gap after gap', () => {
    fc.assert(
      fc.property(gapLists, fc.integer({ min: 0, max: 7 * 24 * HOUR }), (gaps, sinceMs) => {
        let at = 0;
        let gap = 0;
        for (let i = 0; at <= sinceMs; i += 1) {
          gap = gaps[i] ?? Math.min(gap * 2, MAX_QUERY_GAP_MS);
          at += gap;
        }
        expect(nextQueryAt(PREPAID_AT, PREPAID_AT + sinceMs, gaps) - PREPAID_AT).toBe(at);
      }),
    );
  });

  test('a thousand years later the next query is found without a long loop', () => {
    const now = PREPAID_AT + 1_000 * 365 * 24 * HOUR;
    const startedAt = performance.now();
    for (let i = 0; i < 1_000; i += 1) nextQueryAt(PREPAID_AT, now + i, [1]);
    // Hour by hour this would be 9 billion steps; as a division it is some 25 each.
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(nextQueryAt(PREPAID_AT, now, [1])).toBeGreaterThan(now);
  });
});
