// Profit sharing, refunds of shared payments and every resolution, in one Oncepay that may share.
import { shareOncepay } from '../support/share-oncepay';
import { makeReceiversKnown, SHARING_ENV } from './support/sharing';

shareOncepay(
  { env: SHARING_ENV },
  {
    'profit sharing': () => jest.requireActual('./sharing/profit-sharing.cases'),
    'every action': () => jest.requireActual('./interventions/every-action.cases'),
    'refunds of shared payments': () => jest.requireActual('./refunds/refund-of-shared.cases'),
    'a worker dies': () => jest.requireActual('./outages/worker-dies.cases'),
    'odd responses': () => jest.requireActual('./refunds/odd-responses.cases'),
  },
  async (oncepay) => {
    oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
    await makeReceiversKnown(oncepay);
  },
);
