// Decryption of the resource in WeChat's callbacks.
import fc from 'fast-check';
import {
  openResource,
  readApiV3Keys,
  type SealedResource,
} from '../../../../providers/wechatpay/crypto/resource-cipher';
import { API_V3_KEY, OLD_API_V3_KEY, seal } from '../support/wechat';

const KEYS = readApiV3Keys([API_V3_KEY, OLD_API_V3_KEY]);
const TEXT = '{"trade_state":"SUCCESS","out_trade_no":"20261123"}';

function opened(resource: SealedResource & { associated_data?: string }, keys = KEYS) {
  const { ciphertext, nonce, associated_data: associatedData } = resource;
  return openResource({ ciphertext, nonce, associatedData }, keys)?.toString() ?? null;
}

describe('decrypting a callback’s resource', () => {
  test.each([['transaction'], [''], [undefined]])(
    'associated data %j is taken as it is',
    (associatedData) => {
      expect(opened(seal(TEXT, API_V3_KEY, associatedData))).toBe(TEXT);
    },
  );

  test('empty and absent associated data are the same', () => {
    const resource = seal(TEXT, API_V3_KEY, '');
    expect(openResource({ ...resource, associatedData: null }, KEYS)?.toString()).toBe(TEXT);
  });

  test('other associated data than the sealed one is refused', () => {
    const resource = seal(TEXT, API_V3_KEY, 'transaction');
    expect(opened({ ...resource, associated_data: 'refund' })).toBeNull();
    expect(opened({ ciphertext: resource.ciphertext, nonce: resource.nonce })).toBeNull();
  });

  test('during a rotation the previous key still decrypts, and a third one does not', () => {
    expect(opened(seal(TEXT, OLD_API_V3_KEY, 'x'))).toBe(TEXT);
    expect(opened(seal(TEXT, OLD_API_V3_KEY, 'x'), readApiV3Keys([API_V3_KEY]))).toBeNull();
    expect(opened(seal(TEXT, Buffer.alloc(32, 7), 'x'))).toBeNull();
  });

  test('any changed byte of text, tag or nonce is refused', () => {
    const resource = seal(TEXT, API_V3_KEY, 'transaction');
    const sealed = Buffer.from(resource.ciphertext, 'base64');
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = Buffer.from(sealed);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        return opened({ ...resource, ciphertext: bytes.toString('base64') }) === null;
      }),
    );
    const nonce = `${resource.nonce.slice(0, 11)}${resource.nonce.endsWith('0') ? '1' : '0'}`;
    expect(opened({ ...resource, nonce })).toBeNull();
  });

  test('a tag cut to any length is refused', () => {
    const resource = seal(TEXT, API_V3_KEY);
    const sealed = Buffer.from(resource.ciphertext, 'base64');
    for (let cut = 1; cut <= sealed.length; cut += 1) {
      const ciphertext = sealed.subarray(0, sealed.length - cut).toString('base64');
      expect(opened({ ...resource, ciphertext })).toBeNull();
    }
  });

  test('four bytes of a tag alone, or a whole tag without a text, are refused', () => {
    const empty = seal('', API_V3_KEY);
    const tag = Buffer.from(empty.ciphertext, 'base64');
    expect(tag).toHaveLength(16);
    for (const length of [0, 4, 8, 12, 15, 16]) {
      const ciphertext = tag.subarray(0, length).toString('base64');
      expect(opened({ ...empty, ciphertext })).toBeNull();
    }
  });

  test.each(['', 'eleven chars', 'thirteen char', '支付'])(
    'the nonce %j is refused unless it is the right one of 12 bytes',
    (nonce) => {
      expect(opened({ ...seal(TEXT, API_V3_KEY), nonce })).toBeNull();
    },
  );

  test('a key of another length is refused at the start', () => {
    expect(() => readApiV3Keys([])).toThrow(RangeError);
    expect(() => readApiV3Keys([Buffer.alloc(31)])).toThrow(RangeError);
  });
});
