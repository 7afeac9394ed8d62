// The limits of persons and machines, and the person that a key belongs to.
import { leftForMachine, needsSecondPerson, type Movement } from '../../../domain/proposals/limits';
import { personOf } from '../../../domain/clients/person';
import { effectiveLimits } from '../../../domain/settings/runtime-settings';

const LIMITS = { personFen: 1_000, personDayFen: 2_500 };
const movement = (change: Partial<Movement>): Movement => ({
  amountFen: 1_000,
  alwaysTwo: false,
  movedFen: 0,
  ...change,
});

test.each<[string, Partial<Movement>, boolean]>([
  ['the limit itself', {}, false],
  ['one fen more than the limit', { amountFen: 1_001 }, true],
  ['what fills the day', { movedFen: 1_500 }, false],
  ['one fen more than the day has left', { movedFen: 1_501 }, true],
  ['nothing after a full day', { amountFen: 0, movedFen: 9_999 }, false],
  ['money that becomes free', { amountFen: -5_000, movedFen: 9_999 }, false],
  ['an unknown amount', { amountFen: null }, true],
  ['a destination that was typed in', { amountFen: 1, alwaysTwo: true }, true],
  ['a destination that was typed in, without money', { amountFen: 0, alwaysTwo: true }, true],
])('%s is compared with the limits', (_what, change, two) => {
  expect(needsSecondPerson(movement(change), LIMITS)).toBe(two);
});

test('with a limit of 0 every movement needs a second person', () => {
  const none = { personFen: 0, personDayFen: 0 };
  expect(needsSecondPerson(movement({ amountFen: 1 }), none)).toBe(true);
  expect(needsSecondPerson(movement({ amountFen: 0 }), none)).toBe(false);
});

test.each<[string, number, number, number, number, number | null]>([
  ['no bounds', 9_999, 9_999, 0, 0, null],
  ['the bound of a request', 100, 0, 100, 0, null],
  ['one fen above the bound of a request', 101, 0, 100, 0, 100],
  ['the bound of a day', 100, 400, 0, 500, null],
  ['one fen above the bound of a day', 101, 400, 0, 500, 100],
  ['a day that is over', 1, 600, 0, 500, 0],
  ['both, and the day has less left', 90, 450, 80, 500, 50],
])('a machine’s refund against %s', (_what, amountFen, refundedFen, maxFen, dayFen, left) => {
  const bounds = { machineFen: maxFen, machineDayFen: dayFen };
  expect(leftForMachine(amountFen, refundedFen, bounds)).toBe(left);
});

test.each([
  [{ name: 'Ops' }, { name: 'ops' }],
  [{ name: 'ops', operator: null }, { name: 'OPS' }],
  [
    { name: 'one', operator: 'Zhang Wei' },
    { name: 'two', operator: 'zhang wei' },
  ],
  [{ name: 'zhang' }, { name: 'two', operator: 'Zhang' }],
])('the keys %p and %p belong to one person', (a, b) => {
  expect(personOf(a)).toBe(personOf(b));
});

test('two keys of different operators are two persons, also with names that are alike', () => {
  expect(personOf({ name: 'ops', operator: 'a' })).not.toBe(
    personOf({ name: 'ops', operator: 'b' }),
  );
});

test.each([
  [{}, 1_000, 10_000],
  [{ two_person_fen: 50 }, 50, 500],
  [{ two_person_day_fen: 70 }, 1_000, 70],
  [{ two_person_fen: 0 }, 0, 0],
])('with the overrides %p the limits are %p and %p', (overrides, onceFen, dayFen) => {
  expect(effectiveLimits(1_000, overrides)).toEqual({
    two_person_fen: onceFen,
    two_person_day_fen: dayFen,
    merchant_refund_max_fen: 0,
    merchant_refund_day_fen: 0,
  });
});
