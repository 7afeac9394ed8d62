// The steps of the statistics: whole, aligned, and at most a thousand.
import { MAX_STEPS, stepsOf, stepStart, STEPS } from '../../../domain/statistics/steps';

const at = (text: string) => Date.parse(text);
const NOW = at('2026-11-30T10:20:30.400+08:00');

test.each([
  ['5m', '2026-11-30T10:20:00+08:00'],
  ['1h', '2026-11-30T10:00:00+08:00'],
  ['1d', '2026-11-30T00:00:00+08:00'],
] as const)('a step of %s begins at %s', (step, start) => {
  expect(stepStart(NOW, step)).toBe(at(start));
  expect(stepStart(at(start), step)).toBe(at(start));
});

test.each([
  ['5m', 288],
  ['1h', 24],
  ['1d', 1],
] as const)('by default the last 24 hours are %s × %i', (step, count) => {
  const range = stepsOf({}, step, NOW);
  if (typeof range === 'string') throw new Error(range);
  expect((range.toMs - range.fromMs) / STEPS[step]).toBe(count);
  expect(range.toMs).toBeGreaterThanOrEqual(NOW);
  expect(range.toMs - NOW).toBeLessThan(STEPS[step]);
});

test('a step that the range touches is whole', () => {
  const from = at('2026-11-30T08:59:59+08:00');
  const to = at('2026-11-30T10:00:00.001+08:00');
  expect(stepsOf({ from, to }, '1h', NOW)).toEqual({
    fromMs: at('2026-11-30T08:00:00+08:00'),
    toMs: at('2026-11-30T11:00:00+08:00'),
  });
});

test('a range without a moment in it is empty, and a thousand steps are the most', () => {
  expect(stepsOf({ from: NOW, to: NOW }, '1h', NOW)).toBe('empty');
  expect(stepsOf({ from: NOW + 1, to: NOW }, '1h', NOW)).toBe('empty');
  expect(stepsOf({ from: NOW + 1 }, '1h', NOW)).toBe('empty');
  const most = MAX_STEPS * STEPS['5m'];
  expect(stepsOf({ from: NOW - most, to: NOW }, '5m', NOW)).toMatchObject({});
  expect(stepsOf({ from: NOW - most - 1, to: NOW }, '5m', NOW)).toBe('too_many');
});
