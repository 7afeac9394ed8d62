// Tests the encryption of columns with personal data.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { createFieldCipher } from '../../../database/encryption/field-encryption';

const [first, second] = [
  { id: 'k1', key: randomBytes(32) },
  { id: 'k2', key: randomBytes(32) },
];
const place = { table: 'orders', column: 'openid', row: '20260101041A2B3C4D5E00' };
const cipher = createFieldCipher([first]);

test('any text is the same after encryption and decryption', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
      expect(cipher.decrypt(place, cipher.encrypt(place, text))).toBe(text);
    }),
  );
});

test('the same text encrypted twice gives two values, which name version and key', () => {
  const values = Array.from({ length: 100 }, () => cipher.encrypt(place, 'openid'));
  expect(new Set(values).size).toBe(100);
  for (const value of values) expect(value).toMatch(/^v1\.k1\.[\w-]+$/);
});

test.each([
  ['table', { ...place, table: 'users' }],
  ['column', { ...place, column: 'client_ip' }],
  ['row', { ...place, row: '20260101041A2B3C4D5E01' }],
  [
    'place whose parts join to the same text',
    { table: 'orders.openid', column: '', row: place.row },
  ],
])('a value moved to another %s does not decrypt', (_what, elsewhere) => {
  const value = cipher.encrypt(place, 'openid');
  expect(() => cipher.decrypt(elsewhere, value)).toThrow();
});

test('a value with any byte changed does not decrypt', () => {
  const [version, id, encoded = ''] = cipher.encrypt(place, 'openid').split('.');
  const sealed = Buffer.from(encoded, 'base64url');
  for (let index = 0; index < sealed.length; index += 1) {
    const changed = Buffer.from(sealed);
    changed[index] = (changed[index] ?? 0) ^ 1;
    const value = [version, id, changed.toString('base64url')].join('.');
    expect(() => cipher.decrypt(place, value)).toThrow();
  }
});

test('a value cut off at any byte does not decrypt', () => {
  const value = cipher.encrypt(place, 'openid');
  for (let length = 0; length < value.length; length += 1) {
    expect(() => cipher.decrypt(place, value.slice(0, length))).toThrow();
  }
});

test('the first key encrypts, all keys decrypt, and a removed key decrypts nothing', () => {
  const old = cipher.encrypt(place, 'openid');
  const rotated = createFieldCipher([second, first]);
  expect(rotated.encrypt(place, 'openid')).toMatch(/^v1\.k2\./);
  expect(rotated.decrypt(place, old)).toBe('openid');
  expect(() => createFieldCipher([second]).decrypt(place, old)).toThrow(
    'ONCEPAY_ENCRYPTION_KEYS lacks the key k1',
  );
});

test('a key configured under the id of another key decrypts nothing', () => {
  const value = cipher.encrypt(place, 'openid');
  const impostor = createFieldCipher([{ id: 'k1', key: second.key }]);
  expect(() => impostor.decrypt(place, value)).toThrow();
});

test.each(['', 'openid', 'v1', 'v1.k1', 'v1.k1.', 'v2.k1.AAAA', 'v1.__proto__.AAAA'])(
  'decryption refuses %p',
  (value) => {
    expect(() => cipher.decrypt(place, value)).toThrow();
  },
);

test('no error shows the decrypted text', () => {
  const value = cipher.encrypt(place, 'oSecret');
  expect(() => cipher.decrypt({ ...place, row: 'x' }, value)).not.toThrow(/oSecret/);
});

test('without a key no cipher is created', () => {
  expect(() => createFieldCipher([])).toThrow('At least one encryption key');
});
