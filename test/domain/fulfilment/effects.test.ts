// Tests which effects an order has, and which ones a refund compensates.
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
  ])(
    'an order with stock reserved %s and goods from the pool %s has the effects %j',
    (reserved, pooled, expected) => {
      expect(effectsFor({ hasReservations: reserved, hasPooledGoods: pooled })).toEqual(expected);
    },
  );

  test('the effects of any order are among the four of the contract', () => {
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

  test('the name of a compensation is parsed into its effect and its refund', () => {
    fc.assert(
      fc.property(effects, numbers, (effect, outRefundNo) => {
        expect(readEffect(compensationOf(effect, outRefundNo))).toEqual({ effect, outRefundNo });
        expect(readEffect(effect)).toEqual({ effect, outRefundNo: null });
      }),
    );
  });

  test('each effect and refund have one name of their own for the compensation', () => {
    fc.assert(
      fc.property(effects, numbers, effects, numbers, (one, first, two, second) => {
        const same = one === two && first === second;
        expect(compensationOf(one, first) === compensationOf(two, second)).toBe(same);
      }),
    );
  });

  test.each(['', 'point', 'Points', '_back:x', 'other_back:x'])(
    'parsing %j as an effect throws',
    (name) => {
      expect(() => readEffect(name)).toThrow(RangeError);
    },
  );

  test.each([
    [false, false, ['points', 'sales']],
    [true, false, ['points', 'sales', 'stock']],
    [false, true, ['points', 'sales', 'delivery']],
    [true, true, ['points', 'sales', 'stock', 'delivery']],
  ])(
    'a refund with restock %s and revoked codes %s compensates %j',
    (restock, revokeCodes, expected) => {
      expect(effectsTakenBack({ restock, revokeCodes })).toEqual(expected);
    },
  );
});
