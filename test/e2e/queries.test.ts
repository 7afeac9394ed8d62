// Orders that WeChat is queried about early, and then for a long time no more, in one Oncepay.
import { shareOncepay } from '../support/share-oncepay';

shareOncepay(
  { env: { ONCEPAY_QUERY_SCHEDULE: '1s,1s,1h', ONCEPAY_REFUND_SPACING: '0s' } },
  {
    'requests after failures': () => jest.requireActual('./orders/after-failures.cases'),
    'resolutions that runs carry out': () =>
      jest.requireActual('./interventions/carry-out-resolutions.cases'),
    'refunds that WeChat works on': () => jest.requireActual('./refunds/refund-waiting.cases'),
    // The bill has the trades of all cases, so these come last.
    reconciliation: () => jest.requireActual('./reconciliation/reconciliation.cases'),
  },
);
