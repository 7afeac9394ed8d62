import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';
import type { OrderRuns } from '../temporal/order-runs';

/** Every open thing is taken up again within a minute: lease (30 s) and two of these. */
export const SWEEP_INTERVAL_MS = 10_000;
/** Rows leased at once; a sweep goes on while it finds as many. */
const BATCH = 200;
const CONCURRENCY = 24;

export interface Sweep {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Finds what nobody took up: inbox rows whose run was never told, orders whose run was never started or
 * is gone (P3). Any number of api processes sweep at once, each leases other rows.
 */
export function createSweep(deps: {
  overdue: Database['overdue'];
  runs: Pick<OrderRuns, 'notify' | 'ensure'>;
  logger: Logger;
  now: () => number;
}): Sweep {
  const { overdue, runs, logger, now } = deps;
  let timer: NodeJS.Timeout | null = null;
  let current: Promise<void> = Promise.resolve();
  let stopped = false;

  async function notices(): Promise<void> {
    for (;;) {
      const rows = await overdue.leaseNotices(BATCH, now());
      const failed = await each(rows, ({ id, outTradeNo }) => runs.notify(outTradeNo, id));
      if (rows.length > 0) {
        logger.info({ found: rows.length, failed: failed.length }, 'sweep.notices');
      }
      if (failed.length > 0) {
        await overdue.returnNotices(
          failed.map(({ id }) => id),
          now(),
        );
        return;
      }
      if (rows.length < BATCH) return;
    }
  }

  async function orders(): Promise<void> {
    for (;;) {
      const rows = await overdue.leaseOrders(BATCH, now());
      // A start wakes nobody who is there already and costs no event; a close must be heard of.
      const failed = await each(rows, ({ outTradeNo, closeRequested }) =>
        closeRequested ? runs.notify(outTradeNo, 'close') : runs.ensure(outTradeNo),
      );
      if (rows.length > 0) {
        logger.info({ found: rows.length, failed: failed.length }, 'sweep.orders');
      }
      if (failed.length > 0) {
        await overdue.returnOrders(
          failed.map(({ outTradeNo }) => outTradeNo),
          now(),
        );
        return;
      }
      if (rows.length < BATCH) return;
    }
  }

  /** The first one alone: when Temporal is away, one wait tells. @returns those that failed */
  async function each<T>(all: readonly T[], tell: (one: T) => Promise<void>): Promise<T[]> {
    const left = [...all];
    const failed: T[] = [];
    const take = async (one: T) => {
      await tell(one).catch((error: unknown) => {
        if (failed.length === 0) logger.warn({ err: error }, 'sweep.temporal_away');
        failed.push(one);
      });
    };
    const [first] = left.splice(0, 1);
    if (first !== undefined) await take(first);
    const worker = async () => {
      while (failed.length === 0 && !stopped) {
        const next = left.shift();
        if (next === undefined) return;
        await take(next);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    return [...failed, ...left];
  }

  async function sweep(): Promise<void> {
    try {
      await notices();
      await orders();
    } catch (error) {
      logger.warn({ err: error }, 'sweep.failed');
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
    start: () => plan(1_000),
    async stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
      await current;
    },
  };
}
