// Repeats callbacks on WeChat's schedule until one is accepted.
import type { Notification, Tamper } from './callbacks';
import type { Deliveries, Delivery } from './deliveries';
import type { Timers } from '../time/timers';

/** WeChat's gaps after a failed try, in seconds: 15 more tries over 24 h 4 min. */
export const RETRY_GAPS_SECONDS: readonly number[] = [
  15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600,
];

/** A notification with its place in the schedule. */
export interface Running {
  readonly notification: Notification;
  /** True: every try is lost; a number: that many tries are lost. */
  readonly drop: boolean | number;
  readonly tamper: Tamper | null;
  attempt: number;
}

export interface CallbackRetries {
  /** Schedules the next try, and after it the rest, until one is accepted. */
  attempt: (running: Running) => Promise<Delivery>;
  /** Also moves the tries that already wait. */
  setSpeed: (speed: number) => void;
  pending: () => number;
  clear: () => void;
}

/** @param initialSpeed divides WeChat's gaps; 1 is WeChat's own pace. */
export function createCallbackRetries(
  deliveries: Deliveries,
  timers: Timers,
  initialSpeed: number,
): CallbackRetries {
  const waiting = new Map<Running, { cancel: () => void; dueAtMs: number }>();
  let speed = initialSpeed;
  // Counts the resets: no try follows one that was under way during a reset.
  let epoch = 0;

  const waitForNext = (running: Running, delayMs: number): void => {
    const cancel = timers.after(delayMs, () => {
      waiting.delete(running);
      void attempt(running);
    });
    waiting.set(running, { cancel, dueAtMs: performance.now() + delayMs });
  };
  const attempt = async (running: Running): Promise<Delivery> => {
    running.attempt++;
    const startedIn = epoch;
    const { notification, tamper, drop } = running;
    const trial = { notification, tamper, attempt: running.attempt, kind: 'scheduled' } as const;
    const lost = drop === true || running.attempt <= Number(drop);
    const delivery = lost ? deliveries.skip(trial, 'dropped') : await deliveries.send(trial);
    const gap = RETRY_GAPS_SECONDS[running.attempt - 1];
    if (delivery.outcome !== 'accepted' && gap !== undefined && epoch === startedIn) {
      waitForNext(running, (gap * 1000) / speed);
    }
    return delivery;
  };
  return {
    attempt,
    setSpeed: (next) => {
      const factor = speed / next;
      speed = next;
      for (const [running, wait] of [...waiting]) {
        wait.cancel();
        waitForNext(running, Math.max(0, wait.dueAtMs - performance.now()) * factor);
      }
    },
    pending: () => waiting.size,
    clear: () => {
      epoch++;
      for (const { cancel } of waiting.values()) cancel();
      waiting.clear();
    },
  };
}
