import { refundNumberOf, replacementNumber } from '../../domain/refund-number';

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
