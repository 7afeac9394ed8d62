// The bounds of a body: what each allows at most, and that one pass over the text is enough.
import fc from 'fast-check';
import { findViolation } from '../../../api/body/bounds';

const list = (count: number, entry = '0') => `[${Array(count).fill(entry).join(',')}]`;
const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const metadata = (value: string) => `{"a":1, "metadata" : ${value} ,"z":2}`;
const names = (count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"f${index}":1`).join(',')}}`;

test.each<[what: string, text: string]>([
  ['16 levels', nested(16)],
  ['2,000 values with the root', list(1_999)],
  ['1,000 codes', `{"codes":${list(1_000, '"c"')}}`],
  ['200 items of four fields', `{"items":${list(200, '{"sku":"a","quantity":1,"price":2}')}}`],
  ['200 values of metadata', metadata(names(200))],
  ['16 KiB of metadata', metadata(`"${'x'.repeat(16 * 1_024 - 2)}"`)],
  ['a field called metadata further inside', `{"a":{"metadata":"${'x'.repeat(20_000)}"}}`],
  ['a list called items further inside', `{"a":{"items":${list(201)}}}`],
  ['brackets, commas and colons in a text', JSON.stringify({ a: '[{,:'.repeat(5_000) })],
  ['an escaped quote', '{"a\\"":"\\\\"}'],
])('a body with %s breaks no bound', (_what, text) => {
  expect(findViolation(text)).toBeNull();
});

test.each<[what: string, text: string, path: string, message: RegExp]>([
  ['17 levels', nested(17), '[0]'.repeat(16), /at most 16 levels/],
  ['2,001 values', list(2_000), '', /at most 2000 values/],
  ['2,000 fields', names(2_000), '', /at most 2000 values/],
  ['1,001 codes', `{"codes":${list(1_001, '"c"')}}`, 'codes', /at most 1000 entries/],
  ['201 items', `{"items":${list(201, '{}')}}`, 'items', /at most 200 entries/],
  ['201 values of metadata', metadata(names(201)), 'metadata', /at most 200 values/],
  [
    'a byte too much of metadata',
    metadata(`"${'x'.repeat(16 * 1_024 - 1)}"`),
    'metadata',
    /at most 16384 bytes/,
  ],
  [
    'metadata in Chinese, counted in bytes',
    `{"metadata":{"a":"${'衣'.repeat(5_500)}"}}`,
    'metadata',
    /at most 16384 bytes/,
  ],
  ['1e999 deep inside', metadata('{"a":[{"b":1e999}]}'), 'metadata.a[0].b', /a double keeps/],
  [
    'a second metadata that is too large',
    `{"metadata":1,"metadata":${list(201)}}`,
    'metadata',
    /./,
  ],
])('a body with %s is refused at its path', (_what, text, path, message) => {
  const violation = findViolation(text);
  expect(violation?.path).toBe(path);
  expect(violation?.message).toMatch(message);
});

test('a long name comes back cut', () => {
  const violation = findViolation(`{"${'n'.repeat(100_000)}":1e999}`);
  expect(violation?.path).toBe('n'.repeat(200));
});

test('the values that the scan counts are those that the parser makes', () => {
  const count = (value: unknown): number =>
    typeof value === 'object' && value !== null
      ? Object.values(value).reduce((sum: number, entry) => sum + count(entry), 1)
      : 1;
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
      // As many further entries as are left until the bound, and one more.
      const left = 2_000 - count(value) - 1;
      const fits = `[${[JSON.stringify(value), ...Array<string>(left).fill('0')].join(',')}]`;
      expect(findViolation(fits)).toBeNull();
      expect(findViolation(fits.replace(/]$/, ',0]'))?.message).toMatch(/2000 values/);
    }),
    { numRuns: 50 },
  );
});

test('a text that is no JSON ends the scan without an error', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      for (const one of [text, `{"${text}`, `[${text}`, `{"a":${text}}}]]`]) findViolation(one);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['one number of many zeros', `1${'0'.repeat(120_000)}1${'0'.repeat(120_000)}1`],
  ['one name', `{"${'\\u0041'.repeat(40_000)}":1}`],
  ['white space between texts', `["a"${' '.repeat(120_000)},"b"${' '.repeat(120_000)}]`],
  ['lists', '['.repeat(250_000)],
  ['quotes that are escaped', `"${'\\"'.repeat(120_000)}`],
  ['closing brackets', ']'.repeat(250_000)],
  ['minus signs', '-'.repeat(250_000)],
])('250 KB of %s take linear time', (_what, text) => {
  const time = (size: number) => {
    const part = text.slice(0, size);
    const started = performance.now();
    findViolation(part);
    return performance.now() - started;
  };
  // Quadratic time would be many seconds; the machine may be busy with other tests.
  const best = Math.min(...Array.from({ length: 5 }, () => time(text.length)));
  expect(best).toBeLessThan(150);
});
