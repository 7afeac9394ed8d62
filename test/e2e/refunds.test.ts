// Refunds and their effects, in one Oncepay with short waits.
import { shareOncepay } from '../support/share-oncepay';
import { SECOND_KEY } from './support/refunds';

shareOncepay(
  {
    env: { ONCEPAY_QUERY_SCHEDULE: '1s', ONCEPAY_REFUND_SPACING: '0s' },
    secondKeys: { merchant: SECOND_KEY },
  },
  {
    'abnormal refunds': () => jest.requireActual('./refunds/abnormal-refunds.cases'),
    refunds: () => jest.requireActual('./refunds/refunds.cases'),
    'two secrets of a client': () => jest.requireActual('./refunds/two-secrets.cases'),
    'effects of refunds': () => jest.requireActual('./refunds/refund-effects.cases'),
  },
);
