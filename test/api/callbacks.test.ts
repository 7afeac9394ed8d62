// Requests and callbacks that are refused or stored, and runs of orders, in one Oncepay.
import { shareOncepay } from '../support/share-oncepay';

// Refused requests come first: their cases look at a database that no order changes meanwhile.
shareOncepay(
  {},
  {
    'input of orders': () => jest.requireActual('./orders/order-input.cases'),
    'requests for profit sharing': () => jest.requireActual('./sharing/routes.cases'),
    'refused callbacks': () => jest.requireActual('./callbacks/callback-handler.cases'),
    'runs of orders': () => jest.requireActual('./temporal/order-runs.cases'),
  },
);
