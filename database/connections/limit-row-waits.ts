// Limits how many connections of a pool wait for one row: the others wait in memory.

/** A row that many transactions may want at the same time. */
export type SharedRow = `sku:${string}` | `order:${string}`;

/** Runs work that locks these rows, once few enough others are under way on each of them. */
export type RowLimit = <T>(rows: readonly SharedRow[], work: () => Promise<T>) => Promise<T>;

/** The time that a statement of a request waits in the database for a row that others hold. */
export const LOCK_TIMEOUT_MS = 2_000;
/** The time that work waits in memory for its turn: its caller gets 503 within 5 s. */
export const ROW_WAIT_MS = 4_000;
/** More than the sockets of one process; beyond it the wait would take longer than allowed. */
const MAX_WAITING = 1_024;

/** A row was held too long; nothing was changed. The code is PostgreSQL's lock_not_available. */
export class RowHeldError extends Error {
  override readonly name = 'RowHeldError';
  readonly code = '55P03';

  constructor(rows: readonly SharedRow[]) {
    super(`Others worked on the same rows for too long: ${rows.join(', ')}`);
  }
}

interface Waiting {
  readonly rows: readonly SharedRow[];
  readonly enter: () => void;
}

/**
 * Makes the limit of one pool. Work that locks a row takes a connection only while fewer than
 * `most` others of the same row have one. So somebody who holds a row keeps a part of the pool
 * busy, and never all of it. Work on several rows waits for all of them and keeps none meanwhile.
 * Inside the work no second limit may be entered: it could wait for itself.
 * @param most how many connections may work on one row at once
 * @throws RowHeldError, from the limit, when the work could not begin within {@link ROW_WAIT_MS}
 */
export function createRowLimit(most: number): RowLimit {
  const underWay = new Map<SharedRow, number>();
  const waiting = new Set<Waiting>();

  const countOf = (row: SharedRow) => underWay.get(row) ?? 0;
  const hasRoom = (rows: readonly SharedRow[]) => rows.every((row) => countOf(row) < most);

  function enter(rows: readonly SharedRow[]): void {
    for (const row of rows) underWay.set(row, countOf(row) + 1);
  }

  function leave(rows: readonly SharedRow[]): void {
    for (const row of rows) {
      if (countOf(row) > 1) underWay.set(row, countOf(row) - 1);
      else underWay.delete(row);
    }
    for (const one of waiting) if (hasRoom(one.rows)) one.enter();
  }

  function waitForRoom(rows: readonly SharedRow[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        waiting.delete(one);
        reject(new RowHeldError(rows));
      };
      const timer = setTimeout(giveUp, ROW_WAIT_MS);
      const one = {
        rows,
        enter() {
          clearTimeout(timer);
          waiting.delete(one);
          enter(rows);
          resolve();
        },
      };
      if (waiting.size < MAX_WAITING) waiting.add(one);
      else {
        clearTimeout(timer);
        giveUp();
      }
    });
  }

  return async (wanted, work) => {
    const rows = [...new Set(wanted)];
    if (hasRoom(rows)) enter(rows);
    else await waitForRoom(rows);
    try {
      return await work();
    } finally {
      leave(rows);
    }
  };
}
