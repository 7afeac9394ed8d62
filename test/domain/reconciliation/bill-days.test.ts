// Tests the days of bills: Beijing's days, when a bill is ready, which days may be reconciled.
import {
  addDays,
  billDateAt,
  billDayRefusal,
  billDayStart,
  billReadyAt,
  billWaitsUntil,
  daysOverdue,
  daysToReconcile,
  isBillDate,
  type BillDate,
} from '../../../domain/reconciliation/bill-days';

const day = (text: string) => text as BillDate;
const at = (text: string) => Date.parse(text);

test.each([
  ['2026-11-30', true],
  ['2028-02-29', true],
  ['2026-02-29', false],
  ['2026-13-01', false],
  ['2026-11-31', false],
  ['2026-1-01', false],
  ['20261130', false],
  ['2026-11-30T00:00:00Z', false],
  ['', false],
])('the text %j is a day of a bill: %s', (text, expected) => {
  expect(isBillDate(text)).toBe(expected);
});

test.each([
  ['2026-11-29T15:59:59.999Z', '2026-11-29'],
  ['2026-11-29T16:00:00Z', '2026-11-30'],
  ['2026-12-31T16:00:00Z', '2027-01-01'],
])('at %s it is %s in Beijing', (time, expected) => {
  expect(billDateAt(at(time))).toBe(expected);
});

test('the bill of a day begins at midnight in Beijing, is ready at 10:00, waits one day', () => {
  const date = day('2026-11-29');
  expect(billDayStart(date)).toBe(at('2026-11-29T00:00:00+08:00'));
  expect(billReadyAt(date)).toBe(at('2026-11-30T10:00:00+08:00'));
  expect(billWaitsUntil(date)).toBe(at('2026-12-01T00:00:00+08:00'));
  expect(addDays(date, 2)).toBe('2026-12-01');
  expect(addDays(day('2026-03-01'), -1)).toBe('2026-02-28');
});

test.each([
  ['2026-11-30', '2026-11-30T23:59:59+08:00', 'not_over'],
  ['2026-12-01', '2026-11-30T12:00:00+08:00', 'not_over'],
  ['2026-11-30', '2026-12-01T00:00:00+08:00', null],
  ['2026-08-30', '2026-11-30T12:00:00+08:00', null],
  ['2026-08-29', '2026-11-30T12:00:00+08:00', 'too_old'],
  // November has no 31st, February no 30th: the last day of the month counts.
  ['2026-02-28', '2026-05-31T12:00:00+08:00', null],
  ['2026-02-27', '2026-05-31T12:00:00+08:00', 'too_old'],
  ['2025-11-15', '2026-02-15T12:00:00+08:00', null],
] as const)('the day %s, at %s, is refused: %s', (date, now, expected) => {
  expect(billDayRefusal(day(date), at(now))).toBe(expected);
});

test.each([
  ['before 10:00 the bill of yesterday is not ready', '2026-11-30T09:59:59+08:00', 6, '2026-11-28'],
  ['from 10:00 on it is', '2026-11-30T10:00:00+08:00', 7, '2026-11-29'],
])('of the last seven days, %s', (_title, now, count, last) => {
  const days = daysToReconcile(at(now), day('2026-01-01'));
  expect(days).toHaveLength(count);
  expect([days[0], days.at(-1)]).toEqual(['2026-11-23', last]);
});

test('days before the first order are not reconciled, and none is while there is no order', () => {
  const now = at('2026-11-30T10:30:00+08:00');
  expect(daysToReconcile(now, day('2026-11-28'))).toEqual(['2026-11-28', '2026-11-29']);
  expect(daysToReconcile(now, day('2026-11-30'))).toEqual([]);
  expect(daysToReconcile(now, null)).toEqual([]);
});

test('a day is overdue 24 hours after its bill was ready', () => {
  const first = day('2026-11-28');
  expect(daysOverdue(at('2026-11-30T09:59:59+08:00'), first)).toEqual([]);
  expect(daysOverdue(at('2026-11-30T10:00:00+08:00'), first)).toEqual(['2026-11-28']);
});
