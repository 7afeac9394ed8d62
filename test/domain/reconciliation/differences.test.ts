// Tests the types of differences: how each is settled, and which refund statuses agree.
import {
  AGREEING_REFUNDS,
  DIFFERENCE_TYPE_NAMES,
  DIFFERENCE_TYPES,
  typesSettledBy,
} from '../../../domain/reconciliation/differences';
import { REFUND_STATUSES } from '../../../domain/refunds/refund-state';

test.each([
  ['payment_missing_here', 'query_payment'],
  ['payment_missing_there', 'decide'],
  ['payment_amount', 'decide'],
  ['payment_status', 'decide'],
  ['refund_missing_here', 'query_refund'],
  ['refund_missing_there', 'decide'],
  ['refund_amount', 'decide'],
  ['refund_status', 'query_refund'],
  ['duplicate_line', 'bill'],
  ['unreadable_line', 'bill'],
  ['summary_mismatch', 'bill'],
  ['foreign', 'count'],
] as const)('a difference %s is settled by %s', (type, expected) => {
  expect(DIFFERENCE_TYPES[type]).toBe(expected);
  expect(typesSettledBy(expected)).toContain(type);
});

test('the types are these twelve, each settled in one way', () => {
  const all = ['query_payment', 'query_refund', 'decide', 'bill', 'count'] as const;
  expect(DIFFERENCE_TYPE_NAMES).toHaveLength(12);
  expect(all.flatMap(typesSettledBy).sort()).toEqual([...DIFFERENCE_TYPE_NAMES].sort());
});

test.each([
  ['SUCCESS', ['succeeded']],
  ['PROCESSING', ['processing', 'abnormal', 'succeeded', 'closed']],
  ['FAIL', ['closed']],
  ['CHANGE', ['processing', 'abnormal', 'succeeded']],
])('a refund that the bill calls %s agrees with ours in these statuses', (theirs, expected) => {
  const agrees = (ours: string) =>
    AGREEING_REFUNDS.some((pair) => pair.theirs === theirs && pair.ours === ours);
  expect(REFUND_STATUSES.filter(agrees)).toEqual(expected);
});
