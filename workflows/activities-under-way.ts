// Keeps the activities that run beside the main loop of an order's run: one of each kind at a time.
// Sandbox: deterministic only.
import { condition } from '@temporalio/workflow';
import type { Step } from '../domain/orders/next-steps';

/**
 * The activities that are under way beside the main loop. When one ends, its result is stored and
 * the loop goes on. An activity that waits for its next attempt when the run ends is left alone: a
 * cancellation would only add events, and each attempt reads the row first (P9).
 */
export interface ActivitiesUnderWay {
  /** Makes the main loop go on: a message has come. */
  readonly wake: () => void;
  has(kind: Step['kind']): boolean;
  /** Does nothing when an activity of that kind is under way. */
  start(kind: Step['kind'], activity: () => Promise<void>): void;
  /**
   * Waits until an activity has ended or {@link wake} was called.
   * @throws the error of an activity that failed for good
   */
  nextChange(): Promise<void>;
}

export function createActivitiesUnderWay(): ActivitiesUnderWay {
  const underWay = new Set<Step['kind']>();
  let woken = false;
  let failure: { readonly error: unknown } | null = null;

  const wake = () => {
    woken = true;
  };

  return {
    wake,
    has: (kind) => underWay.has(kind),
    start(kind, activity) {
      if (underWay.has(kind)) return;
      underWay.add(kind);
      const end = () => {
        underWay.delete(kind);
        wake();
      };
      activity().then(end, (error: unknown) => {
        failure = { error };
        end();
      });
    },
    async nextChange(): Promise<void> {
      await condition(() => woken);
      woken = false;
      if (failure) throw failure.error;
    },
  };
}
