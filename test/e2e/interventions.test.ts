// Payments that need an intervention, and their resolutions, in one Oncepay with short waits.
import { shareOncepay } from '../support/share-oncepay';

shareOncepay(
  { env: { ONCEPAY_QUERY_SCHEDULE: '1s', ONCEPAY_REFUND_SPACING: '0s' } },
  {
    'late payments': () => jest.requireActual('./payments/late-payments.cases'),
    'submitted resolutions': () => jest.requireActual('./interventions/submit-resolutions.cases'),
    'kept interventions': () => jest.requireActual('./interventions/kept-interventions.cases'),
    mismatches: () => jest.requireActual('./payments/mismatch.cases'),
  },
);
