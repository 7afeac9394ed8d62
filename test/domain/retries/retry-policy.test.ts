// Tests the retry policies and the waits after failures.
import fc from 'fast-check';
import { ERRORS, type ErrorCode } from '../../../domain/error-catalogue';
import {
  DEFAULT_POLICIES,
  delayAfterFailure,
  delayInOutage,
  POLICY_BOUNDS,
  retryDelayMs,
  type Backoff,
  type RetryPolicy,
} from '../../../domain/retries/retry-policy';

const POLICY: Backoff = {
  baseDelayMs: 1_000,
  factor: 3,
  jitter: 0.2,
  maxDelayMs: 60_000,
  maxAttempts: 10,
};

const policies: fc.Arbitrary<Backoff> = fc.record({
  baseDelayMs: fc.integer({ min: 1, max: 600_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  maxDelayMs: fc.integer({ min: 1, max: 7_200_000 }),
  maxAttempts: fc.integer({ min: 1, max: 30_000 }),
});
const attempts = fc.integer({ min: 0, max: 40_000 });
const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the wait before the next attempt', () => {
  test.each([
    [0, 0.5, 1_000],
    [1, 0.5, 3_000],
    [2, 0.5, 9_000],
    [3, 0.5, 27_000],
    [4, 0.5, 60_000],
    [8, 0.5, 60_000],
    [0, 0, 900],
    [0, 1, 1_100],
    [2, 0, 8_100],
    [2, 0.25, 8_550],
    [2, 1, 9_900],
    // 81 s − 10 % is above the maximum, too.
    [4, 0, 60_000],
    [9, 0.5, null],
    [10, 0.5, null],
    [1_000_000, 0.5, null],
  ])('the wait after failure %d with the random number %d is %p', (attempt, random, expected) => {
    expect(retryDelayMs(POLICY, attempt, random)).toBe(expected);
  });

  test.each([
    [1, 0],
    [2, 1],
    [10, 9],
  ])('a budget of %d attempts allows %d waits', (maxAttempts, expected) => {
    const waits = Array.from({ length: 20 }, (_, attempt) =>
      retryDelayMs({ ...POLICY, maxAttempts }, attempt, 0.5),
    );
    expect(waits.filter((wait) => wait !== null)).toHaveLength(expected);
  });

  test('the wait is a whole number from 0 to the maximum, or null when the budget is spent', () => {
    fc.assert(
      fc.property(policies, attempts, randoms, (policy, attempt, random) => {
        const delay = retryDelayMs(policy, attempt, random);
        if (attempt + 1 >= policy.maxAttempts) {
          expect(delay).toBeNull();
          return;
        }
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(policy.maxDelayMs);
      }),
    );
  });

  test('the wait stays within half the jitter of the formula, unless the maximum cuts it', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 0, max: 20 }), randoms, (policy, attempt, random) => {
        fc.pre(attempt + 1 < policy.maxAttempts);
        const exponential = policy.baseDelayMs * policy.factor ** attempt;
        const half = (exponential * policy.jitter) / 2;
        const delay = retryDelayMs(policy, attempt, random) ?? Number.NaN;
        expect(delay).toBeGreaterThanOrEqual(Math.min(exponential - half, policy.maxDelayMs) - 1);
        expect(delay).toBeLessThanOrEqual(Math.min(exponential + half, policy.maxDelayMs) + 1);
      }),
    );
  });

  test('the wait grows with the random number and never shrinks with the attempts', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 0, max: 50 }), randoms, (policy, attempt, random) => {
        fc.pre(attempt + 2 < policy.maxAttempts);
        const now = retryDelayMs(policy, attempt, random);
        expect(retryDelayMs(policy, attempt, random / 2)).toBeLessThanOrEqual(now ?? -1);
        expect(retryDelayMs(policy, attempt + 1, random)).toBeGreaterThanOrEqual(now ?? 0);
      }),
    );
  });
});

describe('the policies of the operations', () => {
  test.each(Object.entries(DEFAULT_POLICIES))(
    'the policy of %s limits everything',
    (_name, policy) => {
      expect(policy.baseDelayMs).toBeGreaterThan(0);
      expect(policy.factor).toBeGreaterThanOrEqual(1);
      expect(policy.jitter).toBeGreaterThanOrEqual(0);
      expect(policy.jitter).toBeLessThanOrEqual(1);
      expect(policy.maxDelayMs).toBeGreaterThanOrEqual(policy.baseDelayMs);
      expect(Number.isInteger(policy.maxAttempts)).toBe(true);
      expect(policy.maxAttempts).toBeGreaterThan(1);
      expect(policy.maxAttempts).toBeLessThanOrEqual(POLICY_BOUNDS.maxAttempts);
      expect(policy.factor).toBeLessThanOrEqual(POLICY_BOUNDS.maxFactor);
      expect(policy.maxDelayMs).toBeLessThanOrEqual(POLICY_BOUNDS.maxDelayMs);
    },
  );

  test.each(Object.entries(DEFAULT_POLICIES))(
    'the policy of %s never retries permissions or settings, and lists no code twice',
    (_name, { retryableCodes, nonRetryableCodes }) => {
      expect(nonRetryableCodes).toEqual(
        expect.arrayContaining([
          'PERMISSION_DENIED',
          'CONFIGURATION_ERROR',
          'WECHAT_PERMISSION_DENIED',
        ]),
      );
      expect(retryableCodes.filter((code) => nonRetryableCodes.includes(code))).toEqual([]);
      expect(retryableCodes.length).toBeGreaterThan(0);
    },
  );

  test.each(['wechat.prepay', 'wechat.query', 'wechat.close'] as const)(
    '%s is tried again within 30 s, so that an order goes on soon after an outage',
    (operation) => {
      expect(DEFAULT_POLICIES[operation].maxDelayMs).toBeLessThanOrEqual(30_000);
    },
  );

  test('a webhook that is never accepted escalates after about a day', () => {
    const { 'notification.webhook': policy } = DEFAULT_POLICIES;
    let totalMs = 0;
    for (let attempt = 0; ; attempt += 1) {
      const delay = retryDelayMs(policy, attempt, 0.5);
      if (delay === null) break;
      totalMs += delay;
    }
    expect(totalMs / 3_600_000).toBeCloseTo(22.73, 2);
  });
});

describe('what follows a failed attempt', () => {
  const policy: RetryPolicy = {
    ...POLICY,
    retryableCodes: ['WECHAT_REFUSED', 'FREQUENCY_LIMITED'],
    nonRetryableCodes: ['CONFIGURATION_ERROR', 'SYSTEM_ERROR'],
  };
  test.each<[ErrorCode, number, number | null]>([
    ['WECHAT_REFUSED', 1, 1_000],
    ['WECHAT_REFUSED', 2, 3_000],
    ['WECHAT_REFUSED', 9, 60_000],
    // The tenth of ten: the budget is spent.
    ['WECHAT_REFUSED', 10, null],
    ['WECHAT_REFUSED', 11, null],
    // In the list of those no attempt can cure.
    ['CONFIGURATION_ERROR', 1, null],
    ['SYSTEM_ERROR', 1, null],
    // In neither list: the catalogue says whether it can help.
    ['TIMEOUT', 1, 1_000],
    ['OUT_TRADE_NO_USED', 1, null],
    // "Too often" waits four times as long, at least 5 s, never above the maximum.
    ['FREQUENCY_LIMITED', 1, 5_000],
    ['FREQUENCY_LIMITED', 2, 12_000],
    ['FREQUENCY_LIMITED', 3, 36_000],
    ['FREQUENCY_LIMITED', 4, 60_000],
    ['FREQUENCY_LIMITED', 10, null],
  ])('a failure with %s at attempt %i is followed by: %p', (code, attempts, expected) => {
    expect(delayAfterFailure(policy, { attempts, code }, 0.5)).toBe(expected);
  });

  test('a maximum below 5 s cuts the wait after "too often"', () => {
    const quick = { ...policy, maxDelayMs: 2_000 };
    expect(delayAfterFailure(quick, { attempts: 1, code: 'FREQUENCY_LIMITED' }, 0.5)).toBe(2_000);
  });

  test.each(Object.keys(ERRORS) as ErrorCode[])(
    'the code %s is decided in every policy',
    (code) => {
      for (const each of Object.values(DEFAULT_POLICIES)) {
        const delay = delayAfterFailure(each, { attempts: 1, code }, 0.5);
        if (each.nonRetryableCodes.includes(code)) expect(delay).toBeNull();
        if (each.retryableCodes.includes(code)) expect(delay).toBeGreaterThan(0);
      }
    },
  );

  test.each([
    ['wechat.prepay', 1, 500],
    ['wechat.prepay', 500, 30_000],
    ['wechat.refund', 3, 8_000],
    ['wechat.refund', 60, 30_000],
    ['wechat.refund', 1_000_000, 30_000],
  ] as const)(
    'while WeChat is down, %s after %i attempts waits %i ms',
    (operation, n, expected) => {
      expect(delayInOutage(DEFAULT_POLICIES[operation], n, 0.5)).toBe(expected);
    },
  );
});
