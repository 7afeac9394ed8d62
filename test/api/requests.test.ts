// Requests that no worker has to work on, in one Oncepay without workers.
import { shareOncepay } from '../support/share-oncepay';

// Access, lists and settings come first: their cases look at a database that nobody has changed.
shareOncepay(
  { workers: 0, env: { ONCEPAY_QUERY_SCHEDULE: '30s,90s' } },
  {
    access: () => jest.requireActual('./http/access.cases'),
    'lists of orders': () => jest.requireActual('./orders/order-list.cases'),
    settings: () => jest.requireActual('./settings/routes.cases'),
    'retry policies': () => jest.requireActual('./retries/routes.cases'),
    receivers: () => jest.requireActual('./sharing/receivers.cases'),
    reconciliations: () => jest.requireActual('./reconciliations/routes.cases'),
    proposals: () => jest.requireActual('./proposals/routes.cases'),
    products: () => jest.requireActual('./products/routes.cases'),
    points: () => jest.requireActual('./products/points.cases'),
    'findings at the start': () => jest.requireActual('./health/start-findings.cases'),
    'held rows': () => jest.requireActual('./products/held-rows.cases'),
    'bodies and raw requests': () => jest.requireActual('./http/requests.cases'),
    // These leave errors in the log.
    'unreadable values': () => jest.requireActual('./orders/unreadable-values.cases'),
    floods: () => jest.requireActual('./callbacks/floods.cases'),
    statistics: () => jest.requireActual('./statistics/routes.cases'),
  },
);
