// The pages' calls, tables and shell lines hold in one running Oncepay.
import { makeReceiversKnown, SHARING_ENV } from '../e2e/support/sharing';
import { shareOncepay } from '../support/share-oncepay';

shareOncepay(
  { env: SHARING_ENV },
  {
    'README and reference': () => jest.requireActual('./readme.cases'),
    'lines of the runbook': () => jest.requireActual('./runbook-shell.cases'),
  },
  async (oncepay) => {
    oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
    await makeReceiversKnown(oncepay);
  },
);
