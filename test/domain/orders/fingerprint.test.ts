// Tests which orders count as the same.
import fc from 'fast-check';
import { fen } from '../../../domain/money';
import { CHANNEL_NAMES } from '../../../domain/orders/channels';
import {
  fingerprintText,
  formerFingerprintText,
  isSamePurchase,
  type FingerprintInput,
} from '../../../domain/orders/fingerprint';

const ORDER: FingerprintInput = {
  channel: 'miniprogram',
  userId: 'user-1',
  openid: 'openid-1',
  items: [
    { sku: 'A', quantity: 1, unitPriceFen: fen(100) },
    { sku: 'B', quantity: 2, unitPriceFen: fen(50) },
  ],
  totalFen: fen(200),
  currency: 'CNY',
  shopOrderNo: null,
  profitSharing: false,
  description: 'Top up 138 0000 0001',
  metadata: { phone: '13800000001', from: 'app' },
};

const text = fc.string({ unit: 'binary', maxLength: 12 });
const inputs: fc.Arbitrary<FingerprintInput> = fc.record({
  channel: fc.constantFrom(...CHANNEL_NAMES),
  userId: text,
  openid: fc.option(text),
  items: fc.array(
    fc.record({
      sku: fc.oneof(fc.constantFrom('A', 'B', 'AB', '"', ',', '],['), text),
      quantity: fc.integer({ min: 1, max: 1000 }),
      unitPriceFen: fc.integer({ min: 1, max: 1000 }).map(fen),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  totalFen: fc.integer({ min: 1, max: 100_000 }).map(fen),
  currency: fc.constantFrom('CNY', 'USD'),
  shopOrderNo: fc.option(text),
  profitSharing: fc.boolean(),
  description: text,
  metadata: fc.option(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue())),
});

/** Every value of a JSON text with its path, so that the order of keys does not matter. */
function canonicalJson(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}=${JSON.stringify(value)}`];
  const isList = Array.isArray(value);
  const inner = Object.entries(value).flatMap(([key, one]) =>
    canonicalJson(one, `${path}/${JSON.stringify(key)}`),
  );
  return [`${path}:${isList ? 'list' : 'object'}`, ...inner].toSorted();
}

/** An order as pieces per sku and price, computed without any normal form. */
function meaning({ items, metadata, ...rest }: FingerprintInput): string {
  const pieces = items.flatMap(({ sku, unitPriceFen, quantity }) =>
    Array.from({ length: quantity }, () => JSON.stringify([sku, unitPriceFen])),
  );
  const data = canonicalJson(metadata);
  return JSON.stringify([pieces.toSorted(), data, Object.entries(rest).toSorted()]);
}

describe("an order's fingerprint", () => {
  test('orders with the same items in another order have the same fingerprint', () => {
    const shuffled = inputs.chain((input) =>
      fc.tuple(
        fc.constant(input),
        fc.shuffledSubarray([...input.items], { minLength: input.items.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([input, items]) => {
        expect(fingerprintText({ ...input, items })).toBe(fingerprintText(input));
      }),
    );
  });

  test.each<[string, Partial<FingerprintInput>]>([
    ['another channel', { channel: 'official_account' }],
    ['another user', { userId: 'user-2' }],
    ['another openid', { openid: 'openid-2' }],
    ['no openid', { openid: null }],
    ['another amount', { totalFen: fen(201) }],
    ['another currency', { currency: 'USD' }],
    ['a shop order number', { shopOrderNo: 'S-1' }],
    ['a shop order number that reads "null"', { shopOrderNo: 'null' }],
    ['profit sharing', { profitSharing: true }],
    ['another description', { description: 'Top up 138 0000 0002' }],
    ['other metadata', { metadata: { phone: '13800000002', from: 'app' } }],
    ['less metadata', { metadata: { phone: '13800000001' } }],
    ['no metadata', { metadata: null }],
    ['one item less', { items: ORDER.items.slice(1) }],
    ['another quantity', { items: [{ sku: 'A', quantity: 2, unitPriceFen: fen(100) }] }],
    [
      'prices exchanged',
      {
        items: [
          { sku: 'A', quantity: 1, unitPriceFen: fen(50) },
          { sku: 'B', quantity: 2, unitPriceFen: fen(100) },
        ],
      },
    ],
    [
      'quantities exchanged',
      {
        items: [
          { sku: 'A', quantity: 2, unitPriceFen: fen(100) },
          { sku: 'B', quantity: 1, unitPriceFen: fen(50) },
        ],
      },
    ],
  ])('an order with %s has another fingerprint', (_what, change) => {
    expect(fingerprintText({ ...ORDER, ...change })).not.toBe(fingerprintText(ORDER));
  });

  test('the order of keys in metadata does not matter', () => {
    const metadata = { from: 'app', phone: '13800000001' };
    expect(fingerprintText({ ...ORDER, metadata })).toBe(fingerprintText(ORDER));
  });

  test('the former fingerprint leaves description and metadata out', () => {
    const other = { ...ORDER, description: 'x', metadata: null };
    expect(formerFingerprintText(other)).toBe(formerFingerprintText(ORDER));
    expect(isSamePurchase(ORDER, ORDER)).toBe(true);
    expect(isSamePurchase(other, ORDER)).toBe(false);
    expect(isSamePurchase({ ...ORDER, metadata: null }, ORDER)).toBe(false);
  });

  test('one line of two pieces and two lines of one have the same fingerprint', () => {
    const one = { sku: 'A', quantity: 1, unitPriceFen: fen(100) };
    const lines = [one, { sku: 'B', quantity: 1, unitPriceFen: fen(1) }, one];
    const summed = [
      { ...one, quantity: 2 },
      { sku: 'B', quantity: 1, unitPriceFen: fen(1) },
    ];
    expect(fingerprintText({ ...ORDER, items: lines })).toBe(
      fingerprintText({ ...ORDER, items: summed }),
    );
  });

  test('two orders have the same fingerprint exactly when they mean the same', () => {
    const near = inputs.chain((input) =>
      fc.tuple(
        fc.constant(input),
        inputs.chain((other) =>
          // Mostly the same order with one or two fields of another one.
          fc
            .subarray(['channel', 'userId', 'openid', 'items', 'totalFen', 'shopOrderNo'] as const)
            .map((fields): FingerprintInput => {
              const taken = Object.fromEntries(fields.map((field) => [field, other[field]]));
              return { ...input, ...taken };
            }),
        ),
      ),
    );
    fc.assert(
      fc.property(near, ([a, b]) => {
        expect(fingerprintText(a) === fingerprintText(b)).toBe(meaning(a) === meaning(b));
      }),
    );
  });

  test('making a fingerprint does not change the order', () => {
    const items = ORDER.items.map((item) => Object.freeze({ ...item }));
    expect(() => fingerprintText({ ...ORDER, items: [...items, ...items] })).not.toThrow();
  });
});
