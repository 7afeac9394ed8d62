// Refunds and their effects, in one Oncepay with short waits.
import { shareOncepay } from '../support/share-oncepay';

shareOncepay(
  { env: { ONCEPAY_QUERY_SCHEDULE: '1s', ONCEPAY_REFUND_SPACING: '0s' } },
  {
    'abnormal refunds': () => jest.requireActual('./refunds/abnormal-refunds.cases'),
    refunds: () => jest.requireActual('./refunds/refunds.cases'),
    'effects of refunds': () => jest.requireActual('./refunds/refund-effects.cases'),
  },
);
