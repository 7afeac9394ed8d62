import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';
import { isTemporalAway } from '../temporal/errors';
import type { OrderRuns } from '../temporal/order-runs';

/** Every open thing is taken up again within a minute: lease (30 s) and two of these. */
const SWEEP_INTERVAL_MS = 10_000;
/** A new process looks soon: it may be the one that comes after a crash. */
const FIRST_SWEEP_MS = 1_000;
/** Rows leased at once; a sweep goes on while it finds as many. */
const BATCH = 200;
const CONCURRENCY = 24;
/** Then the other kind has its turn. */
const MAX_BATCHES = 5;

export interface Sweep {
  start(): void;
  stop(): Promise<void>;
}

interface SweepDeps {
  readonly overdue: Database['overdue'];
  readonly runs: Pick<OrderRuns, 'notify' | 'ensure'>;
  readonly logger: Logger;
  readonly now: () => number;
}

/**
 * Finds what nobody took up: inbox rows whose run was never told, orders whose run was never started or
 * is gone (P3). Any number of api processes sweep at once, each leases other rows.
 */
export function createSweep(deps: SweepDeps): Sweep {
  let timer: NodeJS.Timeout | null = null;
  let current: Promise<void> = Promise.resolve();
  let stopped = false;
  const isStopped = () => stopped;

  async function sweep(): Promise<void> {
    // Each for itself: what is wrong with one kind must not hide the other.
    for (const batch of [sweepNotices, sweepOrders]) {
      try {
        for (let n = 0; n < MAX_BATCHES && (await batch(deps, isStopped)); n += 1);
      } catch (error) {
        deps.logger.error({ err: error }, 'sweep.failed');
      }
    }
  }

  function plan(delayMs: number): void {
    timer = setTimeout(() => {
      current = sweep().finally(() => {
        if (!stopped) plan(SWEEP_INTERVAL_MS);
      });
    }, delayMs);
  }

  return {
    start: () => plan(FIRST_SWEEP_MS),
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await current;
    },
  };
}

/** One batch of inbox rows. @returns true when there may be more to do now */
async function sweepNotices(deps: SweepDeps, isStopped: () => boolean): Promise<boolean> {
  const { overdue, runs, logger, now } = deps;
  const rows = await overdue.leaseNotices(BATCH, now());
  const failed = await tellEach(deps, isStopped, rows, ({ id, outTradeNo }) =>
    runs.notify(outTradeNo, id),
  );
  if (rows.length > 0) logger.info({ found: rows.length, failed: failed.length }, 'sweep.notices');
  if (failed.length > 0) {
    const ids = failed.map(({ id }) => id);
    await overdue.returnNotices(ids, now());
  }
  return failed.length === 0 && rows.length === BATCH && !isStopped();
}

/** One batch of orders. @returns true when there may be more to do now */
async function sweepOrders(deps: SweepDeps, isStopped: () => boolean): Promise<boolean> {
  const { overdue, runs, logger, now } = deps;
  const rows = await overdue.leaseOrders(BATCH, now());
  // A start wakes nobody who is there already and costs no event; a close must be heard of.
  const failed = await tellEach(deps, isStopped, rows, ({ outTradeNo, closeRequested }) =>
    closeRequested ? runs.notify(outTradeNo, 'close') : runs.ensure(outTradeNo),
  );
  if (rows.length > 0) logger.info({ found: rows.length, failed: failed.length }, 'sweep.orders');
  if (failed.length > 0) {
    const numbers = failed.map(({ outTradeNo }) => outTradeNo);
    await overdue.returnOrders(numbers, now());
  }
  return failed.length === 0 && rows.length === BATCH && !isStopped();
}

/**
 * The first one alone: when Temporal is away, one wait tells. A row that Temporal refuses for a reason
 * of its own is left to its lease and holds nobody back.
 * @returns those that were not told because Temporal is away
 */
async function tellEach<T>(
  { logger }: SweepDeps,
  isStopped: () => boolean,
  all: readonly T[],
  tell: (one: T) => Promise<void>,
): Promise<T[]> {
  const left = [...all];
  const failed: T[] = [];
  const take = async (one: T) => {
    await tell(one).catch((error: unknown) => {
      const away = isTemporalAway(error);
      if (failed.length === 0) {
        logger.warn({ err: error }, away ? 'sweep.temporal_away' : 'sweep.refused');
      }
      if (away) failed.push(one);
    });
  };
  const [first] = left.splice(0, 1);
  if (first !== undefined) await take(first);
  const worker = async () => {
    while (failed.length === 0 && !isStopped()) {
      const next = left.shift();
      if (next === undefined) return;
      await take(next);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return [...failed, ...left];
}
