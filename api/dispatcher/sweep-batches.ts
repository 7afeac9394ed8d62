import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';
import { isTemporalAway } from '../temporal/errors';
import type { Outages } from '../../database/retries/report-outages';
import type { OrderRuns } from '../temporal/order-runs';
import type { Breaker } from './breaker';

/** Calls under way at once: what Temporal takes without its other callers noticing. */
const CONCURRENCY = 24;
/** More at once than this is no trouble of rows: no worker takes them, and one alert says so. */
const MAX_ESCALATED = 50;

export interface SweepDeps {
  readonly overdue: Database['overdue'];
  readonly runs: Pick<
    OrderRuns,
    | 'wakeForNotice'
    | 'ensureOrderRun'
    | 'ensureRefundRun'
    | 'ensureSharingRun'
    | 'wakeForResolution'
  >;
  readonly breaker: Breaker;
  readonly outages: Pick<Outages, 'report'>;
  readonly logger: Logger;
  readonly now: () => number;
}

export interface Batch {
  readonly found: number;
  /** Told, or refused for a reason of their own. */
  readonly told: number;
  /** The rest was given back: Temporal is away, or we are asked to stop. */
  readonly left: boolean;
}

export interface SweepBatches {
  /** @param early see `leaseNotices` */
  notices(limit: number, early: boolean): Promise<Batch>;
  /** What hangs on `due_at` and its like. */
  readonly others: readonly ((limit: number) => Promise<Batch>)[];
  /** Leaves to a person what was tried in vain too often. */
  escalateNotices(limit: number): Promise<void>;
}

interface Kind<T> {
  readonly name: string;
  readonly tell: (one: T) => Promise<void>;
  readonly giveBack: (rows: readonly T[]) => Promise<void>;
}

/** One batch of each kind: lease, tell, give back what could not be told. */
export function createSweepBatches(deps: SweepDeps, isStopped: () => boolean): SweepBatches {
  const { overdue, runs, logger, now } = deps;

  async function run<T>(kind: Kind<T>, rows: readonly T[]): Promise<Batch> {
    const left = await wakeEach(deps, isStopped, rows, kind.tell);
    const told = rows.length - left.length;
    if (rows.length > 0) logger.info({ found: rows.length, told }, `sweep.${kind.name}`);
    if (left.length > 0) await kind.giveBack(left);
    return { found: rows.length, told, left: left.length > 0 };
  }

  return {
    notices: async (limit, early) =>
      run(
        {
          name: 'notices',
          tell: ({ id, outTradeNo }) => runs.wakeForNotice(outTradeNo, id),
          giveBack: (rows) => overdue.returnNotices(rows),
        },
        await overdue.leaseNotices(limit, now(), early),
      ),
    others: createOthers(deps, run),
    escalateNotices: createGivingUp(deps),
  };
}

/** Leaves to a person, one by one, what no run has taken; many at once are the workers' trouble. */
function createGivingUp(deps: SweepDeps): SweepBatches['escalateNotices'] {
  const { overdue, runs, breaker, outages, logger, now } = deps;
  let nobodyTook = false;
  return async (limit) => {
    const spent = await overdue.spentNotices(limit, now());
    const tooMany = spent.length > MAX_ESCALATED;
    await outages.report('workers_notices', tooMany ? 'down' : 'up', { found: spent.length });
    // The last of a backlog that workers take at last have a round of their own.
    const isDraining = nobodyTook && !tooMany;
    nobodyTook = tooMany;
    if (tooMany || isDraining) return;
    for (const notice of spent) {
      // Each for itself: an order that somebody holds locked must not keep the others.
      try {
        const isNews = await overdue.escalateNotice(notice, now());
        if (!isNews) continue;
        logger.error(notice, 'sweep.undeliverable');
        // Should the run be there after all, Web UI shows what is asked about it.
        await breaker.call(() => runs.wakeForNotice(notice.outTradeNo, notice.id));
      } catch (error) {
        logger.error({ err: error, ...notice }, 'sweep.failed');
      }
    }
  };
}

type RunKind = <T>(kind: Kind<T>, rows: readonly T[]) => Promise<Batch>;

/** The kinds that have no line to keep. */
function createOthers({ overdue, runs, now }: SweepDeps, run: RunKind): SweepBatches['others'] {
  return [
    async (limit) =>
      run(
        {
          name: 'orders',
          // A start wakes nobody who is there already and costs no event; a close must be heard of.
          tell: ({ outTradeNo, closeRequested }) =>
            closeRequested
              ? runs.wakeForNotice(outTradeNo, 'close')
              : runs.ensureOrderRun(outTradeNo),
          giveBack: (rows) => overdue.returnOrders(rows),
        },
        await overdue.leaseOrders(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'refunds',
          tell: ({ outRefundNo }) => runs.ensureRefundRun(outRefundNo),
          giveBack: (rows) => overdue.returnRefunds(rows),
        },
        await overdue.leaseRefunds(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'sharings',
          tell: ({ outOrderNo }) => runs.ensureSharingRun(outOrderNo),
          giveBack: (rows) => overdue.returnSharings(rows),
        },
        await overdue.leaseSharings(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'resolutions',
          tell: ({ id, outTradeNo, ...question }) =>
            runs.wakeForResolution(outTradeNo, id, question),
          giveBack: (rows) => overdue.returnResolutions(rows, now()),
        },
        await overdue.leaseResolutions(limit, now()),
      ),
  ];
}

/**
 * The first one alone: when Temporal is away, one wait tells. A row that Temporal refuses for a reason
 * of its own is left to its lease and holds nobody back.
 * @returns those that were not told because Temporal is away, or we stop
 */
async function wakeEach<T>(
  { breaker, logger }: SweepDeps,
  isStopped: () => boolean,
  all: readonly T[],
  tell: (one: T) => Promise<void>,
): Promise<T[]> {
  const left = [...all];
  const failed: T[] = [];
  let refused = 0;
  const take = async (one: T) => {
    try {
      await breaker.call(() => tell(one));
    } catch (error) {
      const away = isTemporalAway(error);
      if (away) failed.push(one);
      else refused += 1;
      if (failed.length + refused === 1) {
        logger.warn({ err: error }, away ? 'sweep.temporal_away' : 'sweep.refused');
      }
    }
  };
  const worker = async () => {
    while (failed.length === 0 && !isStopped()) {
      const next = left.shift();
      if (next === undefined) return;
      await take(next);
    }
  };
  const [first] = left.splice(0, 1);
  if (first !== undefined) await take(first);
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return [...failed, ...left];
}
