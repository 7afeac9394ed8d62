// Limits how many connections of a pool wait for one row: the others wait in memory.

/**
 * A row that many transactions may want at the same time: a product, an order, or the
 * interventions of a reason, which are resolved in bulk.
 */
export type SharedRow = `sku:${string}` | `order:${string}` | `reason:${string}`;

/** Runs work that locks these rows, once few enough others are under way on each of them. */
export type RowLimit = <T>(rows: readonly SharedRow[], work: () => Promise<T>) => Promise<T>;

/** The time that a statement of a request waits in the database for a row that others hold. */
export const LOCK_TIMEOUT_MS = 2_000;
/**
 * The same for a worker. PostgreSQL waits so long twice for a row with a line of others: for its
 * place in the line, and then for the row. Both together must end before the statement's own time
 * limit of 3.5 s, which would say that the database is slow.
 */
export const WORKER_LOCK_TIMEOUT_MS = 1_500;
/** The time that work waits in memory for its turn: its caller gets 503 within 5 s. */
export const ROW_WAIT_MS = 4_000;
/** More than the sockets of one process; beyond it the wait would take longer than allowed. */
const MAX_WAITING = 1_024;
/** So long a row counts as held after PostgreSQL gave up on it, or until work succeeds on it. */
const HELD_FOR_MS = 10_000;
/** Rows that are remembered as held; beyond it all are forgotten. */
const MAX_HELD = 1_024;

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
  readonly giveUp: () => void;
}

/** How a limit is made. */
export interface RowLimitOptions {
  /** How many connections may work on one row at once. */
  readonly most: number;
  /** True for an error which says that others held a row for too long. */
  readonly isRowHeld: (error: unknown) => boolean;
  /**
   * How work ends that finds no room on a row which counts as held. `wait`: the same as on any
   * other row; a caller is better off with a late reply than with none. `fail`: it fails at once,
   * and one at a time tries the row. A worker tries its work again, and what waits there fills one
   * of its slots.
   */
  readonly onHeldRow: 'wait' | 'fail';
}

/**
 * Makes the limit of one pool. Work that locks a row takes a connection only while fewer than
 * `most` others of the same row have one. So somebody who holds a row keeps a part of the pool
 * busy, and never all of it. Work on several rows waits for all of them and keeps none meanwhile.
 * Inside the work no second limit may be entered: it could wait for itself.
 * @throws RowHeldError, from the limit, when the work could not begin within {@link ROW_WAIT_MS}
 */
export function createRowLimit({ most, isRowHeld, onHeldRow }: RowLimitOptions): RowLimit {
  const work = createWorkOnRows(most);
  const waiting = new Set<Waiting>();

  function waitForRoom(rows: readonly SharedRow[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(one);
      };
      const one = {
        rows,
        enter: () => {
          end();
          work.enter(rows);
          resolve();
        },
        giveUp: () => {
          end();
          reject(new RowHeldError(rows));
        },
      };
      const timer = setTimeout(one.giveUp, ROW_WAIT_MS);
      if (waiting.size < MAX_WAITING && !work.isHeld(rows)) waiting.add(one);
      else one.giveUp();
    });
  }

  function noteHeld(rows: readonly SharedRow[], sinceMs: number): void {
    work.gaveUp(rows, sinceMs);
    for (const one of waiting) if (work.isHeld(one.rows)) one.giveUp();
  }

  function leave(rows: readonly SharedRow[]): void {
    work.leave(rows);
    for (const one of waiting) if (work.hasRoom(one.rows)) one.enter();
  }

  return async (wanted, run) => {
    const rows = [...new Set(wanted)];
    if (work.hasRoom(rows)) work.enter(rows);
    else await waitForRoom(rows);
    const sinceMs = Date.now();
    try {
      const result = await run();
      work.succeeded(rows);
      return result;
    } catch (error) {
      if (onHeldRow === 'fail' && isRowHeld(error)) noteHeld(rows, sinceMs);
      throw error;
    } finally {
      leave(rows);
    }
  };
}

/** The work that is under way on a row. */
interface UnderWay {
  count: number;
  /** That part of it which works on no other row. */
  alone: number;
  succeededAtMs: number;
}

/** Counts the work that is under way on each row, and remembers which rows count as held. */
function createWorkOnRows(most: number) {
  const underWay = new Map<SharedRow, UnderWay>();
  const heldUntilMs = new Map<SharedRow, number>();
  const isRowHeld = (row: SharedRow) => (heldUntilMs.get(row) ?? 0) > Date.now();

  function isRoomOn(row: SharedRow, isAlone: boolean): boolean {
    const { count = 0, alone = 0 } = underWay.get(row) ?? {};
    if (!isRowHeld(row)) return count < most;
    // Work on several rows may wait for another of them: it keeps no work on this one alone off.
    return (isAlone ? alone : count) === 0;
  }

  return {
    isHeld: (rows: readonly SharedRow[]) => rows.some(isRowHeld),

    hasRoom: (rows: readonly SharedRow[]) => rows.every((row) => isRoomOn(row, rows.length === 1)),

    enter(rows: readonly SharedRow[]): void {
      const alone = rows.length === 1 ? 1 : 0;
      for (const row of rows) {
        const before = underWay.get(row) ?? { count: 0, alone: 0, succeededAtMs: 0 };
        underWay.set(row, {
          ...before,
          count: before.count + 1,
          alone: before.alone + alone,
        });
      }
    },

    leave(rows: readonly SharedRow[]): void {
      for (const row of rows) {
        const one = underWay.get(row);
        if (!one || one.count === 1) underWay.delete(row);
        else {
          one.count -= 1;
          if (rows.length === 1) one.alone -= 1;
        }
      }
    },

    succeeded(rows: readonly SharedRow[]): void {
      for (const row of rows) {
        heldUntilMs.delete(row);
        const one = underWay.get(row);
        if (one) one.succeededAtMs = Date.now();
      }
    },

    /** PostgreSQL gave up on one of the rows: on none with a success since the work began. */
    gaveUp(rows: readonly SharedRow[], sinceMs: number): void {
      if (heldUntilMs.size + rows.length > MAX_HELD) heldUntilMs.clear();
      for (const row of rows) {
        const isFree = (underWay.get(row)?.succeededAtMs ?? 0) >= sinceMs;
        if (!isFree) heldUntilMs.set(row, Date.now() + HELD_FOR_MS);
      }
    },
  };
}
