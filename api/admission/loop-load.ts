// Lowers the number of requests at work while the event loop is late, so that callbacks don't wait.

/** How often the loop is looked at while requests are at work. */
const LOOK_MS = 20;
/** A loop that is later than this makes a callback wait for longer than its own work takes. */
const LATE_MS = 15;
/** Requests at work at the start: enough for a quiet shop, few enough for a burst of heavy ones. */
const FIRST = 8;
/** Two requests keep the loop busy while one of them waits for the database. */
const LEAST = 2;
/** While the loop is in time, the number grows by a quarter at each look. */
const GROWTH = 4;

/** The number of requests that may be at work now. */
export interface LoopLoad {
  /** How many requests may be at work now. */
  readonly maxAtWork: () => number;
  /** Looks at the loop as long as requests are at work. */
  readonly watch: () => void;
}

/**
 * Makes the measure of the event loop. A request that needs much of the loop (a long list, a large
 * reply) holds up everything else, and several of them at once do so in one turn. Fewer at once
 * make the turns shorter and cost no throughput, because the loop is busy all the same.
 * @param deps.atWork the requests that are at work now
 * @param deps.onLook called after each look, when the number may have changed
 * @param deps.most the largest number of requests at work
 */
export function createLoopLoad(deps: {
  atWork: () => number;
  onLook: () => void;
  most: number;
}): LoopLoad {
  let max = FIRST;
  let timer: NodeJS.Timeout | null = null;
  let dueMs = 0;

  function look(): void {
    timer = null;
    const lateMs = performance.now() - dueMs;
    if (lateMs > LATE_MS) max = Math.max(LEAST, Math.floor(Math.min(max, deps.atWork()) / 2));
    else max = Math.min(deps.most, max + Math.ceil(max / GROWTH));
    deps.onLook();
    if (deps.atWork() > 0) watch();
    else max = Math.min(max, FIRST);
  }

  function watch(): void {
    if (timer) return;
    dueMs = performance.now() + LOOK_MS;
    timer = setTimeout(look, LOOK_MS).unref();
  }

  return { maxAtWork: () => max, watch };
}
