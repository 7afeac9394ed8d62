import fc from 'fast-check';
import {
  compensationOf,
  DATABASE_EFFECTS,
  effectsFor,
  effectsTakenBack,
  readEffect,
} from '../../../domain/fulfilment/effects';

describe("an order's database effects", () => {
  test.each([
    [false, false, ['points', 'sales']],
    [true, false, ['points', 'sales', 'stock']],
    [false, true, ['points', 'sales', 'delivery']],
    [true, true, ['points', 'sales', 'stock', 'delivery']],
  ])('with stock reserved %s and goods from the pool %s: %j', (reserved, pooled, expected) => {
    expect(effectsFor({ hasReservations: reserved, hasPooledGoods: pooled })).toEqual(expected);
  });

  test('are among the four that the contract names', () => {
    expect(DATABASE_EFFECTS).toEqual(['points', 'sales', 'stock', 'delivery']);
  });
});

describe('what a refund takes back', () => {
  const effects = fc.constantFrom(...DATABASE_EFFECTS);
  // Also one that looks like a compensation itself.
  const numbers = fc.oneof(
    fc.stringMatching(/^[0-9A-Za-z_\-|*@]{1,64}$/),
    fc.constant('points_back:x'),
  );

  test('is read from its name as it was written', () => {
    fc.assert(
      fc.property(effects, numbers, (effect, outRefundNo) => {
        expect(readEffect(compensationOf(effect, outRefundNo))).toEqual({ effect, outRefundNo });
        expect(readEffect(effect)).toEqual({ effect, outRefundNo: null });
      }),
    );
  });

  test('has one name per effect and refund', () => {
    fc.assert(
      fc.property(effects, numbers, effects, numbers, (one, first, two, second) => {
        const same = one === two && first === second;
        expect(compensationOf(one, first) === compensationOf(two, second)).toBe(same);
      }),
    );
  });

  test.each(['', 'point', 'Points', '_back:x', 'other_back:x'])('%j is no effect', (name) => {
    expect(() => readEffect(name)).toThrow(RangeError);
  });

  test.each([
    [false, false, ['points', 'sales']],
    [true, false, ['points', 'sales', 'stock']],
    [false, true, ['points', 'sales', 'delivery']],
    [true, true, ['points', 'sales', 'stock', 'delivery']],
  ])('with goods back %s and codes back %s: %j', (restock, revokeCodes, expected) => {
    expect(effectsTakenBack({ restock, revokeCodes })).toEqual(expected);
  });
});
