import { DATABASE_EFFECTS, effectsFor } from '../../domain/effects';

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
