import { createBacklog, type Backlog } from './backlog';
import { createSweepBatches, type Batch, type SweepBatches, type SweepDeps } from './sweep-batches';

/** Every open thing is taken up again within a minute: lease (30 s) and two of these. */
const SWEEP_INTERVAL_MS = 10_000;
/** A new process looks soon: it may be the one that comes after a crash. */
const FIRST_SWEEP_MS = 1_000;
/** Between two looks at a Temporal that has just failed and is not given up yet. */
const RETRY_MS = 1_000;
/** Rows leased at once; a sweep goes on while it finds as many. */
const BATCH = 200;
/** Then the other kinds have their turn. */
const MAX_BATCHES = 5;

export interface Sweep {
  start(): void;
  /** Inbox rows wait in the database, so new ones get in line behind them. */
  hasBacklog(): boolean;
  /** Leaves to the sweep what the dispatcher could not tell, and wakes it. */
  takeOver(why: 'overflow' | 'temporal_away'): void;
  stop(): Promise<void>;
}

type Deps = SweepDeps & {
  /** Asks Temporal something small, for when there is nothing to tell. */
  readonly ping: () => Promise<unknown>;
};

/**
 * Finds what nobody took up: inbox rows whose run was never told, orders and refunds whose run was never
 * started or is gone, answers that no run heard (P3). Any number of api processes sweep at once, each
 * leases other rows. After an outage or a burst it tells the backlog, oldest first and without a pause,
 * until none is left.
 */
export function createSweep(deps: Deps): Sweep {
  let timer: NodeJS.Timeout | null = null;
  let current: Promise<void> | null = null;
  let stopped = false;
  const backlog = createBacklog(deps);
  const batches = createSweepBatches(deps, () => stopped);

  async function run(): Promise<void> {
    let nextMs = SWEEP_INTERVAL_MS;
    try {
      nextMs = await sweep(deps, batches, backlog);
    } catch (error) {
      deps.logger.error({ err: error }, 'sweep.failed');
    }
    current = null;
    plan(nextMs);
  }

  function plan(delayMs: number): void {
    if (timer) clearTimeout(timer);
    if (stopped) return;
    timer = setTimeout(() => {
      current = run();
    }, delayMs);
  }

  return {
    start: () => plan(FIRST_SWEEP_MS),
    hasBacklog: () => backlog.waits(),
    takeOver(why) {
      if (backlog.waits() || stopped) return;
      backlog.begin(why);
      // One that is under way comes back by itself.
      if (!current) plan(0);
    },
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await current;
    },
  };
}

/** One round over all kinds. @returns when to look again, ms */
async function sweep(deps: Deps, batches: SweepBatches, backlog: Backlog): Promise<number> {
  const { breaker } = deps;
  if (breaker.state() === 'half_open') await probe(deps, batches);
  if (breaker.state() !== 'closed') return Math.max(breaker.waitMs(), RETRY_MS);
  const notices = await guarded(deps, () => sweepNotices(batches, backlog));
  const last =
    notices?.left === true ? [notices] : [notices, ...(await sweepOthers(deps, batches))];
  if (last.some((batch) => batch?.left)) return Math.max(breaker.waitMs(), RETRY_MS);
  await batches.escalateNotices(BATCH);
  if (last.some((batch) => batch?.found === BATCH)) return 0;
  // A backlog that began after the notices had their turn; not when the database failed them.
  return backlog.waits() && notices ? RETRY_MS : SWEEP_INTERVAL_MS;
}

/** @returns the last batch */
async function sweepNotices(batches: SweepBatches, backlog: Backlog): Promise<Batch> {
  const tell = async (early: boolean) => {
    const batch = await batches.notices(BATCH, early);
    if (batch.left) backlog.begin('temporal_away');
    else if (batch.found === BATCH) backlog.begin('many_rows');
    backlog.told(batch.told);
    return batch;
  };
  const last = await several(() => tell(backlog.waits()));
  if (mayBeMore(last) || last.left || !backlog.waits()) return last;
  // From here on new ids are told at once; one more look takes those that came before that.
  backlog.end();
  return tell(true);
}

/** The others have no line to keep. @returns the last batch of each kind */
async function sweepOthers(deps: Deps, batches: SweepBatches): Promise<(Batch | null)[]> {
  const last: (Batch | null)[] = [];
  for (const kind of batches.others) {
    const batch = await guarded(deps, () => several(() => kind(BATCH)));
    last.push(batch);
    if (batch?.left === true) break;
  }
  return last;
}

/** Temporal was away: one row finds out whether it still is, or a ping when there is none. */
async function probe(deps: Deps, batches: SweepBatches): Promise<void> {
  const kinds = [(limit: number) => batches.notices(limit, true), ...batches.others];
  for (const kind of kinds) {
    const batch = await guarded(deps, () => kind(1));
    if (batch && batch.found > 0) return;
  }
  await deps.breaker.call(deps.ping).catch(() => undefined);
}

const mayBeMore = (batch: Batch) => batch.found === BATCH && !batch.left;

async function several(one: () => Promise<Batch>): Promise<Batch> {
  let batch = await one();
  for (let n = 1; n < MAX_BATCHES && mayBeMore(batch); n += 1) batch = await one();
  return batch;
}

/** What is wrong with one kind must not hide the others. @returns null when it failed */
async function guarded(
  { logger }: Pick<Deps, 'logger'>,
  work: () => Promise<Batch>,
): Promise<Batch | null> {
  try {
    return await work();
  } catch (error) {
    logger.error({ err: error }, 'sweep.failed');
    return null;
  }
}
