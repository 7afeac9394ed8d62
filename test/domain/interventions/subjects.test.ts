// Tests of subjects: each form is formatted and parsed as it is stored.
import {
  formatSubject,
  invariantSubject,
  parseSubject,
  paymentSubject,
  RUN_SUBJECT,
  SUBJECT_KINDS,
  subjectPrefix,
  WECHAT_SUBJECTS,
  type SubjectKind,
} from '../../../domain/interventions/subjects';
import { compensationOf, DATABASE_EFFECTS } from '../../../domain/fulfilment/effects';

/** Kind, id, the stored text: rows of released versions have it, so it never changes. */
const STORED: readonly (readonly [SubjectKind, string, string])[] = [
  ['notice', '0199-a', 'notice:0199-a'],
  ['webhook', 'evt-1', 'webhook:evt-1'],
  ['message', 'evt-1:user', 'message:evt-1:user'],
  ['delivery', 'evt-1', 'delivery:evt-1'],
  ['refund', 'op_4200', 'refund:op_4200'],
  ['sharing', 'P-1', 'sharing:P-1'],
  ['bill', '2026-11-30', 'bill:2026-11-30'],
];

test.each(STORED)('a %s with the id %s is stored as %s', (kind, id, text) => {
  expect(formatSubject(kind, id)).toBe(text);
  expect(parseSubject(text)).toEqual({ kind, id });
});

test('the table of stored subjects has every kind', () => {
  expect(STORED.map(([kind]) => kind)).toEqual(SUBJECT_KINDS);
});

test.each(SUBJECT_KINDS)(
  'an id that is empty or has colons comes back with its kind %s',
  (kind) => {
    for (const id of ['', ':', 'a:b:c', subjectPrefix(kind)]) {
      expect(parseSubject(formatSubject(kind, id))).toEqual({ kind, id });
    }
  },
);

test.each([
  RUN_SUBJECT,
  ...Object.values(WECHAT_SUBJECTS),
  ...DATABASE_EFFECTS,
  ...DATABASE_EFFECTS.map((effect) => compensationOf(effect, 'R-1')),
  '4200001234202611230123456789',
  'op_4200001234',
  'applyNotices',
  'refund',
  'refunds:R-1',
  invariantSubject('stock_disagrees', 'SKU-1'),
  '',
])('%s has no kind and is its own id', (subject) => {
  expect(parseSubject(subject)).toEqual({ kind: null, id: subject });
});

test.each([
  ['T-1', 'callback', 'T-1'],
  ['T-1', 'query', 'T-1'],
  [null, 'callback', 'notice-1'],
  [null, 'query', 'query'],
])('a payment with the transaction %s, by %s, has the subject %s', (id, source, subject) => {
  expect(paymentSubject(id, { source, notificationId: 'notice-1' })).toBe(subject);
});

test('an invariant is stored with its kind and the key of its row', () => {
  expect(invariantSubject('stock_disagrees', 'SKU-1')).toBe('stock_disagrees:SKU-1');
});

test('the steps at WeChat and the run keep their stored names', () => {
  expect([WECHAT_SUBJECTS, RUN_SUBJECT]).toEqual([
    { prepay: 'prepay', query: 'query', close: 'close' },
    'run',
  ]);
});
