import type { Logger } from '../../config/logger';
import type { CallbackDelivery } from '../../database/inbox/callback-log';
import type { Metrics } from '../health/metrics';

/** Rows of one statement: half a second of the fastest burst. */
const MAX_BATCH = 500;
/** A row waits no longer than this for others. */
const FLUSH_MS = 500;
/** Some ten seconds of a burst, 2 MB. */
const MAX_WAITING = 10_000;
/** Of each kind of refusal: whoever sends garbage must not fill the table. The metrics count them all. */
const REFUSALS_PER_SECOND = 20;

export interface DeliveryLog {
  /** Notes a delivery after its answer; never waits, never throws. */
  record(delivery: CallbackDelivery): void;
  /** Writes what waits. */
  stop(): Promise<void>;
}

/**
 * The log of callback deliveries, beside the hot path: rows gather in memory and go in batches. What is
 * accepted is logged whole, what is refused is sampled. It is no promise: a process killed with SIGKILL
 * loses its last second, and a batch that the database does not take is counted and dropped.
 */
export function createDeliveryLog(deps: {
  append: (batch: readonly CallbackDelivery[]) => Promise<void>;
  metrics: Pick<Metrics, 'deliveryLog'>;
  logger: Logger;
  now: () => number;
}): DeliveryLog {
  const { metrics, logger } = deps;
  const isSample = createSampler(deps.now);
  const count = (outcome: string, rows = 1) => metrics.deliveryLog.inc({ outcome }, rows);
  const waiting: CallbackDelivery[] = [];
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  /** Between the first batch that was dropped and the next that was not: one line in the log each. */
  let failing = false;

  async function write(batch: readonly CallbackDelivery[]): Promise<void> {
    try {
      await deps.append(batch);
      count('written', batch.length);
      if (failing) logger.info('callback_log.written_again');
      failing = false;
    } catch (error) {
      count('dropped', batch.length);
      if (!failing) logger.warn({ err: error, rows: batch.length }, 'callback_log.dropped');
      failing = true;
    }
  }

  /** One statement at a time; what came meanwhile is the next batch, or waits for its timer. */
  function flush(): void {
    if (timer) clearTimeout(timer);
    timer = null;
    if (writing || waiting.length === 0) return;
    writing = write(waiting.splice(0, MAX_BATCH)).finally(() => {
      writing = null;
      if (waiting.length >= MAX_BATCH) flush();
      else if (waiting.length > 0) timer ??= setTimeout(flush, FLUSH_MS);
    });
  }

  return {
    record(delivery) {
      if (delivery.httpStatus !== 204 && !isSample(delivery.outcome)) count('sampled_out');
      else if (waiting.length >= MAX_WAITING) count('overflowed');
      else {
        waiting.push(delivery);
        if (waiting.length >= MAX_BATCH) flush();
        else if (!writing) timer ??= setTimeout(flush, FLUSH_MS);
      }
    },
    async stop() {
      while (writing || waiting.length > 0) {
        flush();
        await writing;
        // One try is enough to know: nobody waits for a database that is away.
        if (failing) count('dropped', waiting.splice(0).length);
      }
      if (timer) clearTimeout(timer);
    },
  };
}

/** The first ones of each kind in each second. */
function createSampler(now: () => number): (kind: string) => boolean {
  const seen = new Map<string, number>();
  let second = 0;
  return (kind) => {
    const current = Math.floor(now() / 1_000);
    if (current !== second) seen.clear();
    second = current;
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return before < REFUSALS_PER_SECOND;
  };
}
