// The reasons of interventions, and the actions that resolve them.
import {
  actionsFor,
  INTERVENTION_REASONS,
  INTERVENTIONS,
  type InterventionAction,
} from '../../../domain/interventions/reasons';

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
