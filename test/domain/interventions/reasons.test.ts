// The reasons of interventions, and the actions that resolve them.
import {
  actionsFor,
  INTERVENTION_ACTIONS,
  INTERVENTION_REASONS,
  INTERVENTIONS,
  movesMoney,
  needsSecondKey,
  type InterventionAction,
} from '../../../domain/interventions/reasons';

const LIMIT_FEN = 100_000;

test('exactly these four actions move money', () => {
  expect(INTERVENTION_ACTIONS.filter(movesMoney)).toEqual([
    'refund',
    'accept',
    'new_number',
    'to_bank_card',
  ]);
});

test.each<[string, number | null, boolean]>([
  ['nothing', 0, false],
  ['the limit itself', LIMIT_FEN, false],
  ['one fen more', LIMIT_FEN + 1, true],
  ['an unknown amount', null, true],
])('a resolution about %s needs one API key or two', (_what, amountFen, two) => {
  expect(needsSecondKey(amountFen, LIMIT_FEN)).toBe(two);
});

test('a resolution about an unknown amount needs two API keys whatever the limit', () => {
  expect(needsSecondKey(null, Number.MAX_SAFE_INTEGER)).toBe(true);
});

describe('the actions of an intervention', () => {
  test.each(INTERVENTION_REASONS)(
    'an intervention %s without a subject offers all actions of its reason',
    (reason) => {
      expect(actionsFor(reason)).toEqual(INTERVENTIONS[reason]);
      expect(actionsFor(reason, 'points')).toEqual(INTERVENTIONS[reason]);
    },
  );

  test.each<[string, string, InterventionAction[]]>([
    ['effect_failed', 'points_back:r-1', ['retry', 'skip']],
    ['no_stock', 'stock_back:r-1', ['retry', 'skip']],
    ['no_codes', 'delivery_back:r-1', ['retry', 'skip']],
    // Of another reason the subject is no effect.
    ['reconciliation', 'points_back:r-1', ['retry', 'dismiss', 'refund']],
    ['a reason of another version', 'points', []],
  ])('an intervention %s about %s offers %p', (reason, subject, expected) => {
    expect(actionsFor(reason, subject)).toEqual(expected);
  });
});
