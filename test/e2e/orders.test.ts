// The way of a payment, repeats and second payments, in one Oncepay with two apis and two workers.
import { shareOncepay } from '../support/share-oncepay';

shareOncepay(
  { apis: 2, workers: 2 },
  {
    'main path': () => jest.requireActual('./orders/main-path.cases'),
    duplicates: () => jest.requireActual('./orders/duplicates.cases'),
    'surplus payments': () => jest.requireActual('./payments/surplus-payments.cases'),
    'stuck runs': () => jest.requireActual('./interventions/stuck-run-once.cases'),
  },
);
