// Tests amounts in fen: their range, sums, proportions and text.
import fc from 'fast-check';
import {
  fen,
  formatFen,
  isFen,
  MAX_FEN,
  pointsFor,
  proportion,
  proportions,
  sumOfItems,
} from '../../domain/money';

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
  ])('the value %p is an amount in fen: %s', (value, expected) => {
    expect(isFen(value)).toBe(expected);
  });

  test.each([[-1], [0.5], [MAX_FEN + 1], [Number.NaN]])(
    'making an amount of %p throws a RangeError',
    (value) => {
      expect(() => fen(value)).toThrow(RangeError);
    },
  );

  test('making an amount of a valid number returns that number', () => {
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
  ])('the sum of items: %s', (_what, items, expected) => {
    expect(sumOfItems(items)).toBe(expected);
  });

  test('the sum of items is exact where doubles would not be', () => {
    const items = [line(2 ** 53, 1), line(1, 1), line(2 ** 53, -1)];
    expect(sumOfItems(items)).toBe(1);
  });

  test('the sum of items throws when a quantity is not an integer', () => {
    expect(() => sumOfItems([line(1.5, 100)])).toThrow(RangeError);
  });

  const items = fc.array(
    fc.record({
      quantity: fc.integer({ min: 1, max: 2 ** 31 }),
      unitPriceFen: fc.integer({ min: 1, max: MAX_FEN }),
    }),
    { maxLength: 20 },
  );

  test('the sum of items is exact or null, never rounded', () => {
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

  test('the sum of items does not depend on their order', () => {
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
  ])('the amount %d fen is written as %s', (amount, expected) => {
    expect(formatFen(amount)).toBe(expected);
  });

  test('no two amounts are written alike', () => {
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
  ])('a payment of %d fen earns %d points', (totalFen, expected) => {
    expect(pointsFor(fen(totalFen))).toBe(expected);
  });
});

describe('the share that belongs to what is refunded', () => {
  const paid = fc.integer({ min: 1, max: MAX_FEN });
  /** A payment, and amounts refunded of it one after the other, all of it in the end. */
  const split = paid.chain((paidFen) =>
    fc.record({
      paidFen: fc.constant(paidFen),
      refunded: fc
        .array(fc.integer({ min: 0, max: paidFen }), { maxLength: 12 })
        .map((steps) => [...steps.toSorted((a, b) => a - b), paidFen]),
    }),
  );
  const whole = fc.integer({ min: 0, max: MAX_FEN });
  const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

  test.each([
    [7, 250, 750, 2],
    [7, 500, 750, 5],
    [7, 750, 750, 7],
    [1, 150, 300, 1],
    [1, 149, 300, 0],
    [0, 300, 300, 0],
    [MAX_FEN, MAX_FEN - 1, MAX_FEN, MAX_FEN - 1],
  ])('the proportion of %d with %d of %d refunded is %d', (all, refundedFen, paidFen, expected) => {
    expect(proportion(all, refundedFen, paidFen)).toBe(expected);
  });

  test('a proportion is rounded half up exactly, also where doubles would not be exact', () => {
    const large = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(large, split, (all, { paidFen, refunded: [refundedFen = 0] }) => {
        const share = BigInt(proportion(all, refundedFen, paidFen));
        const exact = BigInt(all) * BigInt(refundedFen) * 2n;
        // share − ½ ≤ exact < share + ½, in halves of 1/paid.
        expect((2n * share - 1n) * BigInt(paidFen) <= exact).toBe(true);
        expect(exact < (2n * share + 1n) * BigInt(paidFen)).toBe(true);
      }),
    );
  });

  test('proportions only grow with the refunds, add up, and are the whole at the end', () => {
    fc.assert(
      fc.property(whole, split, (all, { paidFen, refunded }) => {
        const shares = refunded.map((refundedFen) => proportion(all, refundedFen, paidFen));
        const steps = shares.map((share, n) => share - (shares[n - 1] ?? 0));
        expect(steps.every((step) => step >= 0)).toBe(true);
        expect(sum(steps)).toBe(all);
      }),
    );
  });

  test('the proportions of parts add up to that of the whole, each from 0 to its part', () => {
    const parts = fc.array(fc.integer({ min: 0, max: 100_000_000 }), { maxLength: 20 });
    fc.assert(
      fc.property(parts, split, (all, { paidFen, refunded }) => {
        for (const refundedFen of refunded) {
          const shares = proportions(all, refundedFen, paidFen);
          expect(sum(shares)).toBe(proportion(sum(all), refundedFen, paidFen));
          shares.forEach((share, n) => {
            expect(share).toBeGreaterThanOrEqual(0);
            expect(share).toBeLessThanOrEqual(all[n] ?? 0);
          });
        }
        expect(proportions(all, paidFen, paidFen)).toEqual(all);
      }),
    );
  });

  test('the proportions of the lines of an order add up to the refund, to the fen', () => {
    const lines = fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(lines, fc.double({ min: 0, max: 1, noNaN: true }), (all, part) => {
        const paidFen = sum(all);
        const refundedFen = Math.floor(paidFen * part);
        expect(sum(proportions(all, refundedFen, paidFen))).toBe(refundedFen);
      }),
    );
  });
});
