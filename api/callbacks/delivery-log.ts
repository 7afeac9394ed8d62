// Writes the callback log in batches, apart from the replies to WeChat.
import type { Logger } from '../../config/logger';
import { LOGGED_DUPLICATES, type CallbackDelivery } from '../../database/inbox/callback-log';
import type { Metrics } from '../health/metrics';

/** Rows of one statement: the callbacks of half a second of the fastest burst. */
const MAX_BATCH = 500;
/** A row waits at most this long for others. */
const FLUSH_MS = 500;
/** The callbacks of about ten seconds of a burst, 2 MB. */
const MAX_WAITING = 10_000;
/**
 * So many refusals of a kind have a row each, so that invalid requests can't fill the table. The
 * others are counted in the last row of their kind.
 */
const REFUSALS_PER_SECOND = 20;

/** A callback with its reply. */
export type Replied = Omit<CallbackDelivery, 'repeats'>;

/** The callback log. */
export interface DeliveryLog {
  /** Logs a callback after the reply; never waits, never throws. */
  record(delivery: Replied): void;
  /** Writes the rows that wait, and ends. */
  stop(): Promise<void>;
}

/**
 * Makes the callback log. Rows wait in memory and are written in batches, so that the hot path does
 * not wait for them. All accepted callbacks have a row, of the duplicates of one notification the
 * first ones in an hour, and of the refused ones a sample; the others are counted in these rows.
 * The log can lose rows: those of the last second when the process is killed, and a batch that the
 * database refuses, which is counted.
 */
export function createDeliveryLog(deps: {
  /** Returns the number of rows that were added; the rest are counted in rows that exist. */
  append: (batch: readonly CallbackDelivery[]) => Promise<number>;
  metrics: Pick<Metrics, 'deliveryLog'>;
  logger: Logger;
  now: () => number;
}): DeliveryLog {
  const { metrics, logger } = deps;
  const isSample = createSampler(deps.now);
  const count = (outcome: string, rows = 1) => metrics.deliveryLog.inc({ outcome }, rows);
  const waiting = createWaitingRows();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;
  /** True after a dropped batch, until one is written: each change is one line in the log. */
  let failing = false;

  async function write(batch: readonly CallbackDelivery[]): Promise<void> {
    const callbacks = batch.reduce((sum, { repeats }) => sum + 1 + repeats, 0);
    try {
      const rows = await deps.append(batch);
      count('written', rows);
      if (rows < callbacks) count('repeated', callbacks - rows);
      if (failing) logger.info('callback_log.written_again');
      failing = false;
    } catch (error) {
      count('dropped', callbacks);
      if (!failing) logger.warn({ err: error, rows: batch.length }, 'callback_log.dropped');
      failing = true;
    }
  }

  /** Writes one batch at a time; later rows are the next batch, or wait for the timer. */
  function flush(): void {
    if (timer) clearTimeout(timer);
    timer = null;
    if (writing || waiting.length() === 0) return;
    writing = write(waiting.take(MAX_BATCH)).finally(() => {
      writing = null;
      if (waiting.length() >= MAX_BATCH) flush();
      else if (waiting.length() > 0) timer ??= setTimeout(flush, FLUSH_MS);
    });
  }

  return {
    record(delivery) {
      const isBeyond = delivery.httpStatus !== 204 && !isSample(delivery.outcome);
      if (waiting.count(delivery, isBeyond)) return;
      if (waiting.length() >= MAX_WAITING) count('overflowed');
      else {
        waiting.push(delivery);
        if (waiting.length() >= MAX_BATCH) flush();
        else if (!writing) timer ??= setTimeout(flush, FLUSH_MS);
      }
    },
    async stop() {
      while (writing || waiting.length() > 0) {
        flush();
        await writing;
        // After one failure the rest is dropped, because the process must not wait for the
        // database.
        if (failing) count('dropped', waiting.take(MAX_WAITING).length);
      }
      if (timer) clearTimeout(timer);
    },
  };
}

/** A row that waits; repeats are added to it until it is taken. */
type Waiting = Replied & { repeats: number };

/** Keeps rows in order, of the duplicates of one notification no more than get a row each. */
function createWaitingRows() {
  const waiting: Waiting[] = [];
  /** By notification: the duplicates that wait. */
  const duplicates = new Map<string, { readonly rows: number; readonly last: Waiting }>();
  /** By kind: the last refusal that waits. */
  const refusals = new Map<string, Waiting>();
  const idOf = ({ outcome, notificationId }: Replied) =>
    outcome === 'duplicate' ? notificationId : null;
  return {
    length: () => waiting.length,

    /**
     * Counts a duplicate, or a refusal beyond the sample, in a row that waits.
     * @returns false when it needs a row of its own
     */
    count(delivery: Replied, isBeyond: boolean): boolean {
      const known = duplicates.get(idOf(delivery) ?? '');
      const isFull = known !== undefined && known.rows >= LOGGED_DUPLICATES;
      const row = isBeyond ? refusals.get(delivery.outcome) : isFull ? known.last : undefined;
      if (row === undefined) return false;
      row.repeats += 1;
      return true;
    },

    push(delivery: Replied): void {
      const row = { ...delivery, repeats: 0 };
      waiting.push(row);
      const id = idOf(row);
      if (row.httpStatus !== 204) refusals.set(row.outcome, row);
      if (id !== null) {
        duplicates.set(id, { rows: (duplicates.get(id)?.rows ?? 0) + 1, last: row });
      }
    },

    /** Takes the oldest rows, at most `most`. */
    take(most: number): CallbackDelivery[] {
      duplicates.clear();
      refusals.clear();
      return waiting.splice(0, most);
    },
  };
}

/** Selects the first refusals of each kind in each second. */
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
