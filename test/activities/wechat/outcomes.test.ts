// Tests when WeChat is queried about refunds and sharings that it has accepted.
import { QUERY_GAPS_MS } from '../../../activities/wechat/outcomes';
import { nextQueryAt } from '../../../domain/orders/query-schedule';

const ACCEPTED_AT = Date.parse('2026-11-23T12:00:00Z');
const MINUTE = 60;
const HOUR = 60 * MINUTE;

/**
 * In seconds: when money is asked about after WeChat took it, and how long after the time before.
 */
test.each([
  [0, 5, 5],
  [5, 20, 15],
  [20, 80, MINUTE],
  [80, 380, 5 * MINUTE],
  [380, 1_280, 15 * MINUTE],
  [1_280, 3_080, 30 * MINUTE],
  [3_080, 6_680, HOUR],
  [6_680, 10_280, HOUR],
  [3 * 24 * HOUR + 3_080, 3 * 24 * HOUR + 6_680, HOUR],
])('a query %d s after the acceptance is followed by one at %d s, %d s later', (at, next, gap) => {
  const nextAt = nextQueryAt(ACCEPTED_AT, ACCEPTED_AT + at * 1_000, QUERY_GAPS_MS);
  expect([nextAt - ACCEPTED_AT, next - at]).toEqual([next * 1_000, gap]);
});
