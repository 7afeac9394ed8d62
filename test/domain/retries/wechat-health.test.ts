// Tests when the calls of a process mean that WeChat is down.
import type { ErrorCode } from '../../../domain/error-catalogue';
import {
  HEALTHY,
  looksDown,
  noteCall,
  signOf,
  type CallSign,
} from '../../../domain/retries/wechat-health';

test.each<[string, 'ok' | 'refused' | 'unknown', ErrorCode | null, string | null, CallSign]>([
  ['a good response', 'ok', null, null, 'definite'],
  ['a refusal', 'refused', 'WECHAT_REFUSED', 'PARAM_ERROR', 'definite'],
  ['too many requests', 'refused', 'FREQUENCY_LIMITED', 'FREQUENCY_LIMITED', 'definite'],
  ['a 429 of somebody in front', 'unknown', 'FREQUENCY_LIMITED', null, 'definite'],
  ['a user who is paying', 'unknown', 'USER_PAYING', 'USERPAYING', 'definite'],
  ['a cut connection', 'unknown', 'NETWORK_ERROR', null, 'no_connection'],
  ['no response in time', 'unknown', 'TIMEOUT', null, 'no_connection'],
  ["a proxy's 502", 'unknown', 'SYSTEM_ERROR', null, 'no_connection'],
  ["WeChat's own 500", 'unknown', 'SYSTEM_ERROR', 'SYSTEM_ERROR', 'undecided'],
  ['a bank that fails', 'unknown', 'BANK_ERROR', 'BANK_ERROR', 'undecided'],
  ['a response without a valid signature', 'unknown', 'RESPONSE_FORGED', null, 'undecided'],
  ['our own limit', 'unknown', 'TEMPORARY_FAILURE', null, 'none'],
])('a call with %s gives the expected sign', (_what, outcome, code, wechatCode, expected) => {
  expect(signOf({ outcome, code, wechatCode })).toBe(expected);
});

/**
 * The letters of a text are calls: c no connection, u undecided, d definite, n nothing; a digit is
 * the order.
 */
function after(calls: string): boolean {
  const signs = { c: 'no_connection', u: 'undecided', d: 'definite', n: 'none' } as const;
  const pairs = calls.match(/[cudn]\d/g) ?? [];
  const health = pairs.reduce(
    (seen, pair) => noteCall(seen, signs[pair[0] as keyof typeof signs], pair[1] ?? ''),
    HEALTHY,
  );
  return looksDown(health);
}

test.each([
  ['', false],
  ['c1 c1 c1 c1', false],
  ['c1 c1 c1 c1 c1', true],
  ['c1 c2 c3 c4 c5', true],
  ['c1 c1 c1 c1 d2 c1', false],
  ['c1 c1 c1 c1 u2 c1', false],
  ['c1 c1 n1 c1 c1 n2 c1', true],
  // Ten undecided ones, but of one order alone: a problem of that order.
  ['u1 u1 u1 u1 u1 u1 u1 u1 u1 u1 u1 u1', false],
  ['u1 u2 u3 u4 u1 u2 u3 u4 u1 u2 u3 u4', false],
  ['u1 u2 u3 u4 u5 u1 u2 u3 u4', false],
  ['u1 u2 u3 u4 u5 u1 u2 u3 u4 u5', true],
  ['u1 u2 u3 c4 u5 u1 u2 c3 u4 u5', true],
  ['u1 u2 u3 u4 u5 u1 u2 u3 u4 d9 u5', false],
])('after the calls %p WeChat counts as down: %p', (calls, expected) => {
  expect(after(calls)).toBe(expected);
});
