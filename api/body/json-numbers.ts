// Finds numbers of a JSON text that JavaScript would change: a double keeps some 15 digits.

/** A double in full has at most 1,077 characters; nobody writes more zeros around a value. */
const MAX_CHARACTERS = 1_100;
const NUMBER = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/**
 * True when a double changes the value of a number: beyond 2^53, with more digits than a double
 * keeps, or `1e999`. `0.1` is fine, because a double gives it back as it was written. False for a
 * text that is no number of JSON.
 */
export function isChangedNumber(literal: string): boolean {
  if (literal.length > MAX_CHARACTERS) return true;
  if (!NUMBER.test(literal)) return false;
  const value = Number(literal);
  return !Number.isFinite(value) || normalForm(literal) !== normalForm(String(value));
}

/** `-12.50e3` as `-125e2`: sign, digits without zeros at either end, and the power of ten. */
function normalForm(literal: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] = NUMBER.exec(literal) ?? [];
  const digits = `${whole}${fraction}`;
  let start = 0;
  let end = digits.length;
  // A regular expression for zeros at the end would take quadratic time for many zeros inside.
  while (digits[start] === '0') start += 1;
  while (end > start && digits[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  const exponent = Number(power) - fraction.length + (digits.length - end);
  return `${sign}${digits.slice(start, end)}e${exponent}`;
}
