// Tests refund numbers and their replacements.
import fc from 'fast-check';
import {
  OWN_PREFIX,
  refundNumberFromKey,
  refundNumberOf,
  replacementNumber,
} from '../../../domain/refunds/refund-number';

/** https://pay.weixin.qq.com/doc/v3/merchant/4012791903 `out_refund_no`. */
const WECHAT = /^[0-9A-Za-z_\-|*@]{1,64}$/;
const numbers = fc.stringMatching(WECHAT);

test('the replacement of a refund number is new, ours, and one that WeChat accepts', () => {
  fc.assert(
    fc.property(numbers, (number) => {
      const next = replacementNumber(number);
      expect(next).toMatch(WECHAT);
      expect(next.startsWith(OWN_PREFIX)).toBe(true);
      expect(next).not.toBe(number);
      expect(replacementNumber(number)).toBe(next);
    }),
  );
});

test('a refund number that is replaced again and again never comes back', () => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 60 }), (number, times) => {
      const seen = [number];
      for (let n = 0; n < times; n += 1) seen.push(replacementNumber(seen.at(-1) ?? ''));
      expect(new Set(seen).size).toBe(times + 1);
    }),
  );
});

test('refund numbers made of transactions or keys differ, and WeChat accepts them', () => {
  const ids = fc.stringMatching(/^42[0-9]{26}$/);
  const hashes = fc.stringMatching(/^[0-9a-f]{64}$/);
  fc.assert(
    fc.property(ids, ids, hashes, (one, two, hash) => {
      expect(refundNumberOf(one)).toMatch(WECHAT);
      expect(refundNumberOf(one) === refundNumberOf(two)).toBe(one === two);
      expect(refundNumberFromKey(hash)).toMatch(WECHAT);
    }),
  );
});

test.each([
  ['r', 'op_r-2'],
  ['op_r-2', 'op_r-3'],
  ['op_r-9', 'op_r-10'],
  ['shop-1', 'op_shop-1-2'],
  ['op_shop-1-2', 'op_shop-1-3'],
  [refundNumberOf('4200001'), 'op_4200001-2'],
])('the refund number %s is replaced by %s', (number, replacement) => {
  expect(replacementNumber(number)).toBe(replacement);
});

test('consecutive refund numbers of a caller never have the same replacement', () => {
  const callers = ['shop', ...Array.from({ length: 20 }, (_, n) => `shop-${n}`)];
  const made = callers.flatMap((number) => {
    const first = replacementNumber(number);
    const second = replacementNumber(first);
    return [first, second, replacementNumber(second)];
  });
  expect(new Set(made).size).toBe(made.length);
});
