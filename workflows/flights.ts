// Sandbox: deterministic only.
import { ActivityFailure, ApplicationFailure, condition } from '@temporalio/workflow';
import { BUDGET_SPENT } from '../domain/retries/retry-policy';

export type FlightName = 'prepay' | 'query' | 'close' | 'effects' | 'deliver';

/** True for an activity that was given up: a person is asked, and the rows say so. */
export function isBudgetSpent(error: unknown): boolean {
  return (
    error instanceof ActivityFailure &&
    error.cause instanceof ApplicationFailure &&
    error.cause.type === BUDGET_SPENT
  );
}

/**
 * Activities under way beside the main loop. Each name is under way once; when one lands, its result is
 * handed over and the loop wakes. What is still waiting for its next attempt when the run ends is left
 * behind: a cancel would only cost events, and each attempt reads the row first (P9).
 */
export interface Flights {
  readonly wake: () => void;
  has(name: FlightName): boolean;
  /** Does nothing when one of that name is under way. */
  start(name: FlightName, activity: () => Promise<void>): void;
  /** Waits until something landed or a message came. @throws what an activity failed with for good */
  landing(): Promise<void>;
}

export function createFlights(): Flights {
  const underWay = new Set<FlightName>();
  let woken = false;
  let failure: { readonly error: unknown } | null = null;

  const wake = () => {
    woken = true;
  };

  return {
    wake,
    has: (name) => underWay.has(name),
    start(name, activity) {
      if (underWay.has(name)) return;
      underWay.add(name);
      const landed = () => {
        underWay.delete(name);
        wake();
      };
      activity().then(landed, (error: unknown) => {
        failure = { error };
        landed();
      });
    },
    async landing(): Promise<void> {
      await condition(() => woken);
      woken = false;
      if (failure) throw failure.error;
    },
  };
}
