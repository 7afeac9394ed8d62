// Feishu's clock with its timers: a test moves both forward.
/** A clock whose timers run when it is moved past them. */
export interface Clock {
  /** In ms since 1970. */
  now: () => number;
  /** Moves the clock forward and runs the timers that are due then, the earliest first. */
  advance: (ms: number) => void;
  /** Runs `task` after `ms` of this clock; the returned function cancels it. */
  after: (ms: number, task: () => void) => () => void;
  /** Resolves after `ms` of this clock, or at once when it is stopped. */
  wait: (ms: number) => Promise<void>;
  /** Drops all timers for good. */
  stop: () => void;
}

interface Waiting {
  readonly dueMs: number;
  readonly task: () => void;
  readonly onStop: () => void;
  timer: NodeJS.Timeout | null;
}

/** @param realNow the time of the machine, in ms since 1970. */
export function createClock(realNow: () => number): Clock {
  const waiting = new Set<Waiting>();
  let aheadMs = 0;
  let stopped = false;
  const now = (): number => realNow() + aheadMs;
  const run = (one: Waiting): void => {
    if (one.timer !== null) clearTimeout(one.timer);
    if (waiting.delete(one)) one.task();
  };
  const arm = (one: Waiting): void => {
    if (one.timer !== null) clearTimeout(one.timer);
    one.timer = setTimeout(() => run(one), Math.max(0, one.dueMs - now()));
  };
  const start = (ms: number, task: () => void, onStop: () => void): (() => void) => {
    if (stopped) {
      onStop();
      return () => undefined;
    }
    const one: Waiting = { dueMs: now() + ms, task, onStop, timer: null };
    waiting.add(one);
    arm(one);
    return () => {
      if (one.timer !== null) clearTimeout(one.timer);
      waiting.delete(one);
    };
  };
  return {
    now,
    advance: (ms) => {
      aheadMs += ms;
      const due = [...waiting].filter(({ dueMs }) => dueMs <= now());
      due.sort((a, b) => a.dueMs - b.dueMs).forEach(run);
      waiting.forEach(arm);
    },
    after: (ms, task) => start(ms, task, () => undefined),
    wait: (ms) =>
      new Promise((resolve) => {
        start(ms, resolve, resolve);
      }),
    stop: () => {
      stopped = true;
      const dropped = [...waiting];
      waiting.clear();
      for (const { timer, onStop } of dropped) {
        if (timer !== null) clearTimeout(timer);
        onStop();
      }
    },
  };
}
