// Wakes or starts the runs of rows that nothing else has woken; runs every ten seconds.
import type { Database } from '../../database/database';
import { createBacklog, type Backlog } from './backlog';
import { createSweepBatches, type Batch, type SweepBatches, type SweepDeps } from './sweep-batches';

/** Every due row is found within a minute: its lease (30 s) and two of these intervals. */
const SWEEP_INTERVAL_MS = 10_000;
/** A new process sweeps soon, because it may be the one after a crash. */
const FIRST_SWEEP_MS = 1_000;
/** Between two attempts while Temporal fails but the breaker is still closed. */
const RETRY_MS = 1_000;
/** Rows of one lease; a sweep continues while it finds as many. */
const BATCH = 200;
/** After so many batches of one kind, the other kinds have their turn. */
const MAX_BATCHES = 5;

/** The sweep. */
export interface Sweep {
  start(): void;
  /** True while inbox rows wait in the database; then new ones have to wait behind them. */
  hasBacklog(): boolean;
  /** The sweep takes over the rows that the dispatcher could not handle, and begins at once. */
  takeOver(why: 'overflow' | 'temporal_away'): void;
  stop(): Promise<void>;
}

/** Shorter than the time after which `/readyz` says that no sweep runs. */
const MARK_MS = 5_000;

type Deps = SweepDeps & {
  /** Notes for all processes that a sweep ran. */
  readonly marks: Pick<Database['alertMarks'], 'take'>;
  /** A small request to Temporal, for a probe without any row. */
  readonly ping: () => Promise<unknown>;
};

/**
 * Makes the sweep. It finds due rows: inbox rows whose run was not woken, orders, refunds and
 * sharings whose run was never started or is gone, resolutions that no run has carried out (P3).
 * Any number of api processes can sweep at once; each leases other rows. After an outage or a burst
 * it works through the backlog, oldest rows first, without a pause until none is left.
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
      await deps.marks.take('sweep', deps.now(), MARK_MS);
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
      // A sweep that is running plans the next one itself.
      if (!current) plan(0);
    },
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await current;
    },
  };
}

/** Sweeps all kinds of rows once. @returns the time until the next sweep, in ms */
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
  // The backlog began after the batch of notices, unless that batch failed in the database.
  return backlog.waits() && notices ? RETRY_MS : SWEEP_INTERVAL_MS;
}

/** Sweeps the inbox rows. @returns the last batch */
async function sweepNotices(batches: SweepBatches, backlog: Backlog): Promise<Batch> {
  const takeBatch = async (early: boolean) => {
    const batch = await batches.notices(BATCH, early);
    if (batch.left) backlog.begin('temporal_away');
    else if (batch.found === BATCH) backlog.begin('many_rows');
    backlog.addWoken(batch.woken);
    return batch;
  };
  const last = await several(() => takeBatch(backlog.waits()));
  if (mayBeMore(last) || last.left || !backlog.waits()) return last;
  // From here on the dispatcher handles new rows; one more batch takes those that came before.
  backlog.end();
  return takeBatch(true);
}

/**
 * Sweeps the other kinds of rows.
 * @returns the last batch of each kind; null for one that failed
 */
async function sweepOthers(deps: Deps, batches: SweepBatches): Promise<(Batch | null)[]> {
  const last: (Batch | null)[] = [];
  for (const kind of batches.others) {
    const batch = await guarded(deps, () => several(() => kind(BATCH)));
    last.push(batch);
    if (batch?.left === true) break;
  }
  return last;
}

/** Finds out whether Temporal is back: with one row, or with a ping when there is none. */
async function probe(deps: Deps, batches: SweepBatches): Promise<void> {
  const kinds = [(limit: number) => batches.notices(limit, true), ...batches.others];
  for (const kind of kinds) {
    const batch = await guarded(deps, () => kind(1));
    if (batch && batch.found > 0) return;
  }
  // The breaker itself notes and logs how the ping ended.
  await deps.breaker.call(deps.ping).catch(() => 'noted');
}

const mayBeMore = (batch: Batch) => batch.found === BATCH && !batch.left;

/** Takes batches of one kind until none is full. @returns the last one */
async function several(one: () => Promise<Batch>): Promise<Batch> {
  let batch = await one();
  for (let n = 1; n < MAX_BATCHES && mayBeMore(batch); n += 1) batch = await one();
  return batch;
}

/** Keeps a failure of one kind from stopping the others. @returns null when the batch failed */
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
