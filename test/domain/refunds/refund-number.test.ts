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

test('a number in place of another is one WeChat takes, ours, and another one', () => {
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

test('however often it is replaced, a number never comes back', () => {
  fc.assert(
    fc.property(numbers, fc.integer({ min: 1, max: 60 }), (number, times) => {
      const seen = [number];
      for (let n = 0; n < times; n += 1) seen.push(replacementNumber(seen.at(-1) ?? ''));
      expect(new Set(seen).size).toBe(times + 1);
    }),
  );
});

test('the numbers made of a transaction or of a key are ones WeChat takes, each another', () => {
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
])('what takes the place of %s is %s', (number, replacement) => {
  expect(replacementNumber(number)).toBe(replacement);
});

test('numbers of a caller that count up never have the same replacements', () => {
  const callers = ['shop', ...Array.from({ length: 20 }, (_, n) => `shop-${n}`)];
  const made = callers.flatMap((number) => {
    const first = replacementNumber(number);
    const second = replacementNumber(first);
    return [first, second, replacementNumber(second)];
  });
  expect(new Set(made).size).toBe(made.length);
});
