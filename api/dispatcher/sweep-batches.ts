// One batch of the sweep for each kind of row: lease, wake the runs, return what failed.
import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';
import { isTemporalAway } from '../temporal/errors';
import type { Outages } from '../../database/retries/report-outages';
import type { OrderRuns } from '../temporal/order-runs';
import type { Breaker } from './breaker';

/** Calls to Temporal at the same time: few enough not to slow down its other callers. */
const CONCURRENCY = 24;
/**
 * The most rows that are escalated one by one. More at once means that no worker runs; then one
 * alert reports that.
 */
const MAX_ESCALATED = 50;

/** The dependencies of the sweep. */
export interface SweepDeps {
  readonly overdue: Database['overdue'];
  readonly reconciliations: Pick<Database['reconciliations'], 'lease' | 'returnLeased'>;
  readonly runs: Pick<
    OrderRuns,
    | 'wakeForNotice'
    | 'ensureOrderRun'
    | 'ensureRefundRun'
    | 'ensureSharingRun'
    | 'ensureReconciliationRun'
    | 'wakeForResolution'
  >;
  readonly breaker: Breaker;
  readonly outages: Pick<Outages, 'report'>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** The result of one batch. */
export interface Batch {
  readonly found: number;
  /** Rows whose runs were woken, or whose wake Temporal refused. */
  readonly woken: number;
  /** True when the rest was returned, because Temporal is away or the process stops. */
  readonly left: boolean;
}

/** The batches of each kind of row. */
export interface SweepBatches {
  /** @param early see `leaseNotices` */
  notices(limit: number, early: boolean): Promise<Batch>;
  /** The kinds of rows that have a due time. */
  readonly others: readonly ((limit: number) => Promise<Batch>)[];
  /** Opens interventions for inbox rows that no run has read after all attempts. */
  escalateNotices(limit: number): Promise<void>;
}

interface Kind<T> {
  readonly name: string;
  readonly wake: (one: T) => Promise<void>;
  readonly returnRows: (rows: readonly T[]) => Promise<void>;
}

/** Makes the batches: lease rows, wake their runs, return the rows whose runs were not woken. */
export function createSweepBatches(deps: SweepDeps, isStopped: () => boolean): SweepBatches {
  const { overdue, runs, logger, now } = deps;

  async function run<T>(kind: Kind<T>, rows: readonly T[]): Promise<Batch> {
    const left = await wakeEach(deps, isStopped, rows, kind.wake);
    const woken = rows.length - left.length;
    if (rows.length > 0) logger.info({ found: rows.length, told: woken }, `sweep.${kind.name}`);
    if (left.length > 0) await kind.returnRows(left);
    return { found: rows.length, woken, left: left.length > 0 };
  }

  return {
    notices: async (limit, early) =>
      run(
        {
          name: 'notices',
          wake: ({ id, outTradeNo }) => runs.wakeForNotice(outTradeNo, id),
          returnRows: (rows) => overdue.returnNotices(rows),
        },
        await overdue.leaseNotices(limit, now(), early),
      ),
    others: createOthers(deps, run),
    escalateNotices: createEscalation(deps),
  };
}

/** Escalates rows one by one; many at once mean that no worker runs, which one alert reports. */
function createEscalation(deps: SweepDeps): SweepBatches['escalateNotices'] {
  const { overdue, runs, breaker, outages, logger, now } = deps;
  let noWorkerRan = false;
  return async (limit) => {
    const spent = await overdue.spentNotices(limit, now());
    const tooMany = spent.length > MAX_ESCALATED;
    await outages.report('workers_notices', tooMany ? 'down' : 'up', { found: spent.length });
    // When workers run again, the last rows of the backlog get one more round before they escalate.
    const isDraining = noWorkerRan && !tooMany;
    noWorkerRan = tooMany;
    if (tooMany || isDraining) return;
    for (const notice of spent) {
      // Each row has its own try, so that a locked order does not hold up the others.
      try {
        const isOpened = await overdue.escalateNotice(notice, now());
        if (!isOpened) continue;
        logger.error(notice, 'sweep.undeliverable');
        // If the run exists after all, it shows the intervention in Temporal's Web UI.
        await breaker.call(() => runs.wakeForNotice(notice.outTradeNo, notice.id));
      } catch (error) {
        logger.error({ err: error, ...notice }, 'sweep.failed');
      }
    }
  };
}

type RunKind = <T>(kind: Kind<T>, rows: readonly T[]) => Promise<Batch>;

/** The kinds of rows whose order does not matter. */
function createOthers(
  { overdue, reconciliations, runs, now }: SweepDeps,
  run: RunKind,
): SweepBatches['others'] {
  return [
    async (limit) =>
      run(
        {
          name: 'orders',
          // A start does nothing to a run that exists and costs no event; a close has to wake it.
          wake: ({ outTradeNo, closeRequested }) =>
            closeRequested
              ? runs.wakeForNotice(outTradeNo, 'close')
              : runs.ensureOrderRun(outTradeNo),
          returnRows: (rows) => overdue.returnOrders(rows),
        },
        await overdue.leaseOrders(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'refunds',
          wake: ({ outRefundNo }) => runs.ensureRefundRun(outRefundNo),
          returnRows: (rows) => overdue.returnRefunds(rows),
        },
        await overdue.leaseRefunds(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'sharings',
          wake: ({ outOrderNo }) => runs.ensureSharingRun(outOrderNo),
          returnRows: (rows) => overdue.returnSharings(rows),
        },
        await overdue.leaseSharings(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'reconciliations',
          wake: ({ billDate }) => runs.ensureReconciliationRun(billDate),
          returnRows: (rows) => reconciliations.returnLeased(rows),
        },
        await reconciliations.lease(limit, now()),
      ),
    async (limit) =>
      run(
        {
          name: 'resolutions',
          wake: ({ id, outTradeNo, ...intervention }) =>
            runs.wakeForResolution(outTradeNo, id, intervention),
          returnRows: (rows) => overdue.returnResolutions(rows, now()),
        },
        await overdue.leaseResolutions(limit, now()),
      ),
  ];
}

/**
 * Wakes the run of each row. The first row goes alone: when Temporal is away, one wait shows it. A
 * row that Temporal refuses is left to its lease and does not hold up the others.
 * @returns the rows whose runs were not woken, because Temporal is away or the process stops
 */
async function wakeEach<T>(
  { breaker, logger }: SweepDeps,
  isStopped: () => boolean,
  all: readonly T[],
  wake: (one: T) => Promise<void>,
): Promise<T[]> {
  const left = [...all];
  const failed: T[] = [];
  let refused = 0;
  const wakeOne = async (one: T) => {
    try {
      await breaker.call(() => wake(one));
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
      await wakeOne(next);
    }
  };
  const [first] = left.splice(0, 1);
  if (first !== undefined) await wakeOne(first);
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return [...failed, ...left];
}
