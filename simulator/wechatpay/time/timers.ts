// Timers that can all be stopped at once, so that nothing outlives the simulator.
/** Timers that can all be stopped at once. */
export interface Timers {
  /** Runs `task` after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
  /** Resolves after `ms`, or at once when everything is stopped. */
  wait(ms: number): Promise<void>;
  /** Stops for good: a timer that is set afterwards never runs. */
  stop(): void;
}

export function createTimers(): Timers {
  const running = new Map<NodeJS.Timeout, () => void>();
  let stopped = false;
  const start = (ms: number, task: () => void, onStop: () => void): (() => void) => {
    if (stopped) {
      onStop();
      return () => undefined;
    }
    const timer = setTimeout(() => {
      running.delete(timer);
      task();
    }, ms);
    running.set(timer, onStop);
    return () => {
      clearTimeout(timer);
      running.delete(timer);
    };
  };
  return {
    after: (ms, task) => start(ms, task, () => undefined),
    wait: (ms) =>
      new Promise((resolve) => {
        start(ms, resolve, resolve);
      }),
    stop: () => {
      stopped = true;
      const stopping = [...running];
      running.clear();
      for (const [timer, onStop] of stopping) {
        clearTimeout(timer);
        onStop();
      }
    },
  };
}
