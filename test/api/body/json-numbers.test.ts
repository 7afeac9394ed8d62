// Numbers in JSON texts that a double would change.
import fc from 'fast-check';
import { findViolation } from '../../../api/body/bounds';

const CHANGED = 'must be a number that a double keeps; send it as text';

/** The path of the first number that a double changes. */
function findChangedNumber(text: string): string | null {
  const violation = findViolation(text);
  return violation?.message === CHANGED ? violation.path : null;
}

test.each([
  ['9007199254740993', ''],
  ['{"a":9007199254740993}', 'a'],
  ['{"metadata":{"x":[1,{"y":[2,3,12345678901234567890]}]}}', 'metadata.x[1].y[2]'],
  ['{"a":"12345678901234567890","b":1e999}', 'b'],
  ['{"a":1e-400}', 'a'],
  ['{"a":0.1000000000000000000001}', 'a'],
  ['[[],[[]],[-0.12345678901234567890]]', '[2][0]'],
  ['{"a\\"b":1.7976931348623159e309}', 'a"b'],
  ['{ "a" : [ 1 , 2 ] , "b" : { "c" : 18446744073709551616.5 } }', 'b.c'],
])('the number in %s is changed, and its path is %p', (text, path) => {
  expect(findChangedNumber(text)).toBe(path);
});

test.each([
  '0.1',
  '{"a":9007199254740991,"b":-9007199254740991}',
  '{"a":9007199254740992}',
  '[0,-0,0.0,0e9,1.0,1.50,1e3,1E+3,1.5e-7,100000000000000000000]',
  '{"9007199254740993":"9007199254740993"}',
  '["9007199254740993","\\"9007199254740993"]',
  '{"a":true,"b":null,"c":false,"d":""}',
  '5e-324',
  '1.7976931348623157e308',
])('no number in %s is changed', (text) => {
  expect(findChangedNumber(text)).toBeNull();
});

test('what JSON.stringify writes is never changed', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
      expect(findChangedNumber(JSON.stringify(value, null, indent))).toBeNull();
    }),
    { numRuns: 500 },
  );
});

/** The integer that a double's shortest digits write. */
function writtenBy(double: number): bigint {
  const [digits = '', exponent = '0'] = String(double).split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  return BigInt(whole + fraction + '0'.repeat(Number(exponent) - fraction.length));
}

test('an integer is changed exactly when the nearest double writes another one', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (integer) => {
      const isKept = writtenBy(Number(integer)) === integer;
      expect(findChangedNumber(`{"n":${integer}}`)).toBe(isKept ? null : 'n');
    }),
    { numRuns: 500, examples: [[7_831_511_325_341_159_000n]] },
  );
});

test('a long text takes linear time', () => {
  const text = `[${Array.from({ length: 50_000 }, (_, n) => n).join(',')}]`;
  expect(findChangedNumber(text)).toBeNull();
  expect(findChangedNumber(`${'['.repeat(50_000)}1${']'.repeat(50_000)}`)).toBeNull();
});
