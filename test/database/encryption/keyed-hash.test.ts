// Tests the keyed hashes.
import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createKeyedHash } from '../../../database/encryption/keyed-hash';

const key = randomBytes(32);
const hash = createKeyedHash(key);

test('the same key, purpose and text give the same 32 bytes, in hex too', () => {
  expect(hash.bytes('user', 'a')).toHaveLength(32);
  expect(hash.hex('user', 'a')).toBe(hash.bytes('user', 'a').toString('hex'));
  expect(createKeyedHash(Buffer.from(key)).hex('user', 'a')).toBe(hash.hex('user', 'a'));
});

test('a keyed hash is the HMAC-SHA-256 of the purpose, a NUL and the text', () => {
  const expected = createHmac('sha256', key).update('code\0A-1').digest('hex');
  expect(hash.hex('code', 'A-1')).toBe(expected);
});

test('another key or another purpose gives another hash', () => {
  const seen = new Set(
    (['user', 'fingerprint', 'body', 'notice', 'code'] as const).flatMap((purpose) => [
      hash.hex(purpose, 'a'),
      createKeyedHash(randomBytes(32)).hex(purpose, 'a'),
    ]),
  );
  expect(seen.size).toBe(10);
});

test('different texts give different hashes', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, two) => {
      expect(hash.hex('code', one) === hash.hex('code', two)).toBe(one === two);
    }),
  );
});
