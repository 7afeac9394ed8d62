import fc from 'fast-check';
import { fen, formatFen, isFen, MAX_FEN, pointsFor, sumOfItems } from '../../domain/money';

describe('an amount in fen', () => {
  test.each([
    [0, true],
    [1, true],
    [MAX_FEN, true],
    [MAX_FEN + 1, false],
    [-1, false],
    [0.5, false],
    [12.3 * 100, true],
    [19.99 * 100, false],
    [Number.NaN, false],
    [Number.POSITIVE_INFINITY, false],
    ['1', false],
    [1n, false],
    [null, false],
  ])('%p is one: %s', (value, expected) => {
    expect(isFen(value)).toBe(expected);
  });

  test.each([[-1], [0.5], [MAX_FEN + 1], [Number.NaN]])(
    '%p is refused with a RangeError',
    (value) => {
      expect(() => fen(value)).toThrow(RangeError);
    },
  );

  test('a valid number is handed back as it is', () => {
    expect(fen(1230)).toBe(1230);
  });
});

describe('the sum of the items', () => {
  const line = (quantity: number, unitPriceFen: number) => ({ quantity, unitPriceFen });

  test.each([
    ['no item', [], 0],
    ['one item', [line(1, 1230)], 1230],
    ['two lines', [line(2, 1230), line(3, 5)], 2475],
    ['the largest amount', [line(1, MAX_FEN)], MAX_FEN],
    ['one more than that', [line(1, MAX_FEN), line(1, 1)], null],
    ['huge quantities', [line(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)], null],
    ['a product that doubles would round into range', [line(2 ** 53, 2 ** 53), line(1, 1)], null],
    ['less than nothing', [line(1, -1)], null],
  ])('of %s', (_what, items, expected) => {
    expect(sumOfItems(items)).toBe(expected);
  });

  test('is exact where doubles would not be', () => {
    const items = [line(2 ** 53, 1), line(1, 1), line(2 ** 53, -1)];
    expect(sumOfItems(items)).toBe(1);
  });

  test('is refused when a quantity is no integer', () => {
    expect(() => sumOfItems([line(1.5, 100)])).toThrow(RangeError);
  });

  const items = fc.array(
    fc.record({
      quantity: fc.integer({ min: 1, max: 2 ** 31 }),
      unitPriceFen: fc.integer({ min: 1, max: MAX_FEN }),
    }),
    { maxLength: 20 },
  );

  test('is the exact one or null, never a rounded one', () => {
    fc.assert(
      fc.property(items, (list) => {
        const exact = list.reduce(
          (sum, i) => sum + BigInt(i.quantity) * BigInt(i.unitPriceFen),
          0n,
        );
        const sum = sumOfItems(list);
        if (exact > BigInt(MAX_FEN)) expect(sum).toBeNull();
        else expect(BigInt(sum ?? -1)).toBe(exact);
      }),
    );
  });

  test('does not depend on the order of the items', () => {
    fc.assert(
      fc.property(items, (list) => {
        expect(sumOfItems(list.toReversed())).toBe(sumOfItems(list));
      }),
    );
  });
});

describe('an amount on a screen', () => {
  test.each([
    [0, '¥0.00'],
    [1, '¥0.01'],
    [10, '¥0.10'],
    [99, '¥0.99'],
    [100, '¥1.00'],
    [1230, '¥12.30'],
    [MAX_FEN, '¥21474836.47'],
    [-5, '-¥0.05'],
    [-1230, '-¥12.30'],
  ])('%d fen are written %s', (amount, expected) => {
    expect(formatFen(amount)).toBe(expected);
  });

  test('tells every amount apart', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_FEN }), (amount) => {
        expect(Number(formatFen(amount).replace(/[¥.]/g, ''))).toBe(amount);
      }),
    );
  });
});

describe('points', () => {
  test.each([
    [0, 0],
    [99, 0],
    [100, 1],
    [199, 1],
    [1230, 12],
    [MAX_FEN, 21_474_836],
  ])('a payment of %d fen earns %d', (totalFen, expected) => {
    expect(pointsFor(totalFen)).toBe(expected);
  });
});
