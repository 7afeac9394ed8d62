// The conditions that an outage must not break, whatever the machine.
import type { Tally } from '../ground/stub-control';
import type { SpentAttempts } from './readings';

/** One condition, and what the run showed. */
export interface Must {
  readonly what: string;
  readonly seen: string;
  readonly held: boolean;
}

/** One alert for the outage and one for its end; each process shares the row of the outage. */
const EXPECTED_ALERTS = 'dependency_down, dependency_up';

/** Judges a run. @param run.budget the failed attempts after which an order's query escalates */
export function judge(run: {
  readonly orders: number;
  readonly away: Tally;
  readonly spent: SpentAttempts;
  readonly budget: number;
  readonly alerts: readonly string[];
  readonly interventions: number;
  readonly caughtUpAfterMs: number;
  readonly bookProblems: readonly string[];
}): Must[] {
  const { orders, away, spent, budget, interventions, bookProblems } = run;
  const alerts = run.alerts.toSorted().join(', ');
  const isCaughtUp = Number.isFinite(run.caughtUpAfterMs);
  return [
    {
      what: 'each order was queried while WeChat was away',
      seen: `${away.orders} of ${orders}`,
      held: away.orders === orders,
    },
    {
      what: 'the outage was marked before an order spent its attempts',
      seen: Number.isFinite(spent.markedAtMs)
        ? `at most ${spent.most} of ${budget}`
        : 'it was not marked',
      held: Number.isFinite(spent.markedAtMs) && spent.most < budget,
    },
    {
      what: 'one alert for the outage, one for its end, no other',
      seen: alerts === '' ? 'none' : alerts,
      held: alerts === EXPECTED_ALERTS,
    },
    {
      what: 'no intervention was opened',
      seen: String(interventions),
      held: interventions === 0,
    },
    {
      what: 'every order caught up',
      seen: isCaughtUp ? 'all' : 'not all in time',
      held: isCaughtUp,
    },
    {
      what: 'no order was lost or doubled',
      seen: bookProblems.length === 0 ? 'none' : bookProblems.join('; '),
      held: bookProblems.length === 0,
    },
  ];
}
