// Decides what the signals that stop a process do: a signal given twice is one signal.

/**
 * A process that has to stop ends within this time, also when something hangs. It is shorter than
 * the `stop_grace_period` of docker-compose.yml, after which the process would be killed.
 */
export const STOP_GRACE_MS = 28_000;
/**
 * Ctrl-C and many supervisors send a signal to the whole process group, and npm passes it on: node
 * gets it twice within some milliseconds. A SIGINT later than this is a second Ctrl-C of a person.
 */
const SECOND_SIGINT_AFTER_MS = 1_000;

/** The exit code that a shell sees of a program that a signal ended. */
export const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
export type StopSignal = keyof typeof SIGNAL_EXIT_CODES;

/** How a process stops. */
export interface StopOptions {
  readonly signals: readonly StopSignal[];
  /** Begins the stop in order; called once, with the first signal. */
  readonly stop: (signal: StopSignal) => void;
  /** Called when the stop has taken longer than the grace time, before the process ends. */
  readonly onOverdue?: () => void;
}

/** The process that gets the signals, and a clock in ms that never goes back. */
interface Surroundings {
  readonly target: Pick<NodeJS.Process, 'on' | 'exit'>;
  readonly now: () => number;
}

/**
 * Handles the signals that stop the process. The first one begins the stop. Repeats are ignored,
 * so that requests under way get their replies. Only a second SIGINT more than a second after the
 * first SIGINT ends the process at once, with 130. A stop that outlasts the grace time ends with 1.
 */
export function onStopSignals(
  { signals, stop, onOverdue }: StopOptions,
  { target, now }: Surroundings = { target: process, now: () => performance.now() },
): void {
  let stopping = false;
  let firstSigintMs: number | null = null;

  const handle = (signal: StopSignal) => {
    if (signal === 'SIGINT') {
      firstSigintMs ??= now();
      if (now() - firstSigintMs > SECOND_SIGINT_AFTER_MS) target.exit(SIGNAL_EXIT_CODES.SIGINT);
    }
    if (stopping) return;
    stopping = true;
    setTimeout(() => {
      onOverdue?.();
      target.exit(1);
    }, STOP_GRACE_MS).unref();
    stop(signal);
  };
  for (const signal of signals) target.on(signal, handle);
}
