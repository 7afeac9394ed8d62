// Verification of WeChat's signatures.
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import {
  signAsWechat,
  verifyMessage,
  type VerifyInput,
} from '../../../../providers/wechatpay/crypto/signature';
import { makeKeyPair, NOW_MS, NOW_SECONDS } from '../support/wechat';

const { publicKey, privateKey } = makeKeyPair();
const SERIAL = '5157F09EFDC096DE15EBE81A47057A7200000001';
const BODY = Buffer.from('{"id":"EV-1","summary":"支付成功"}');

function headersFor(timestamp: number | string = NOW_SECONDS, rawBody = BODY) {
  return signAsWechat({ rawBody, timestamp, nonce: 'fdasflkja484w', serial: SERIAL, privateKey });
}

function verdictOf(input: Partial<VerifyInput>): string {
  return verifyMessage({
    headers: headersFor(),
    rawBody: BODY,
    nowMs: NOW_MS,
    keyOf: (serial) => (serial === SERIAL ? publicKey : null),
    ...input,
  }).kind;
}

const NAMES = [
  'wechatpay-timestamp',
  'wechatpay-nonce',
  'wechatpay-serial',
  'wechatpay-signature',
] as const;

describe('verifying WeChat’s signatures', () => {
  test('a message that WeChat signed is valid, also with an empty body', () => {
    expect(verdictOf({})).toBe('valid');
    const empty = Buffer.alloc(0);
    expect(verdictOf({ headers: headersFor(NOW_SECONDS, empty), rawBody: empty })).toBe('valid');
  });

  test('a message without any of the four headers is unsigned', () => {
    expect(verdictOf({ headers: { 'content-type': 'application/json' } })).toBe('unsigned');
  });

  describe.each(NAMES)('the signature header %s', (name) => {
    test('a message without this header is refused', () => {
      expect(verdictOf({ headers: { ...headersFor(), [name]: undefined } })).toBe('missing_header');
      expect(verdictOf({ headers: { ...headersFor(), [name]: '' } })).toBe('missing_header');
    });

    test('a message with this header twice is refused, however the server shows it', () => {
      const value = headersFor()[name] ?? '';
      for (const twice of [`${value}, ${value}`, [value, value], [value]]) {
        expect(verdictOf({ headers: { ...headersFor(), [name]: twice } })).toBe('missing_header');
      }
    });

    test('a message with a long or strange value in this header is refused', () => {
      for (const bad of ['a'.repeat(1025), 'a b', 'a\n', 'é', '\u0000']) {
        expect(verdictOf({ headers: { ...headersFor(), [name]: bad } })).toBe('missing_header');
      }
    });
  });

  test.each([
    [-301, 'stale'],
    [-300, 'valid'],
    [0, 'valid'],
    [300, 'valid'],
    [301, 'stale'],
  ])('a timestamp %d s from now makes it %s', (offset, expected) => {
    expect(verdictOf({ headers: headersFor(NOW_SECONDS + offset) })).toBe(expected);
    expect(verdictOf({ headers: headersFor(NOW_SECONDS + offset), nowMs: NOW_MS + 999 })).toBe(
      expected,
    );
  });

  test.each(['', 'abc', '1.5', '1e9', '-1', '+1700000000', '0x65', 'NaN', '9'.repeat(20)])(
    'the timestamp %j is refused although it is signed',
    (timestamp) => {
      expect(['stale', 'missing_header']).toContain(verdictOf({ headers: headersFor(timestamp) }));
    },
  );

  test('a message with an unknown serial names it; its age is checked before', () => {
    expect(verdictOf({ keyOf: () => null })).toBe('unknown_serial');
    expect(verdictOf({ keyOf: () => null, headers: headersFor(NOW_SECONDS - 301) })).toBe('stale');
  });

  test('WeChat’s signature probe fails like any other bad signature', () => {
    const real = headersFor()['wechatpay-signature'] ?? '';
    for (const probe of [`WECHATPAY/SIGNTEST/${real.slice(19)}`, 'WECHATPAY/SIGNTEST/xyz_1']) {
      const headers = { ...headersFor(), 'wechatpay-signature': probe };
      expect(verdictOf({ headers })).toBe('bad_signature');
    }
  });

  test('another key’s signature is refused', () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(verdictOf({ keyOf: () => other.publicKey })).toBe('bad_signature');
  });

  test('only one spelling of a signature is valid', () => {
    const real = headersFor()['wechatpay-signature'] ?? '';
    const spareBits = real.replace(/(.)==$/, (_all, last: string) => {
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
      return `${alphabet[alphabet.indexOf(last) + 1] ?? ''}==`;
    });
    expect(Buffer.from(spareBits, 'base64').equals(Buffer.from(real, 'base64'))).toBe(true);
    for (const other of [spareBits, real.slice(0, -2), `${real}=`, `-${real}`]) {
      const headers = { ...headersFor(), 'wechatpay-signature': other };
      expect(verdictOf({ headers })).toBe('bad_signature');
    }
  });

  test('any changed byte in timestamp, nonce, signature or body is refused', () => {
    const original = headersFor();
    const places = fc.constantFrom('timestamp', 'nonce', 'signature', 'body');
    fc.assert(
      fc.property(places, fc.nat(), fc.integer({ min: 1, max: 255 }), (place, at, flip) => {
        const name = `wechatpay-${place}`;
        const bytes =
          place === 'body' ? Buffer.from(BODY) : Buffer.from(original[name] ?? '', 'latin1');
        const index = at % bytes.length;
        bytes[index] = (bytes[index] ?? 0) ^ flip;
        const changed =
          place === 'body'
            ? { rawBody: bytes }
            : { headers: { ...original, [name]: bytes.toString('latin1') } };
        return verdictOf(changed) !== 'valid';
      }),
      { numRuns: 1_000 },
    );
  });

  test('a body that is cut, extended or written again is refused', () => {
    for (const other of [
      BODY.subarray(1),
      Buffer.concat([BODY, Buffer.from('\n')]),
      Buffer.from(JSON.stringify(JSON.parse(BODY.toString()), null, 1)),
    ]) {
      expect(verdictOf({ rawBody: other })).toBe('bad_signature');
    }
  });
});
