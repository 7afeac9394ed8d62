// The tables of the document: columns, rows, and readers that lag behind a write.
import { createId } from '../http/identifiers';
import { ControlRefusal } from '../http/reply';
import type { Cell } from './cells';
import type { Column } from './columns';

/** A row; a change makes a new one. */
export interface Row {
  readonly recordId: string;
  /** Counts up in a table, for the field type 1005. */
  readonly number: number;
  /** By field id; empty cells are absent. */
  readonly cells: ReadonlyMap<string, Cell>;
  readonly createdBy: string;
  readonly createdMs: number;
  readonly modifiedBy: string;
  readonly modifiedMs: number;
}

/** A row before and after a change: null before it was added, null after it was deleted. */
export interface Change {
  readonly before: Row | null;
  readonly after: Row | null;
}

export interface Table {
  readonly tableId: string;
  readonly viewId: string;
  name: string;
  columns: Column[];
  readonly rows: Map<string, Row>;
  readonly createdMs: number;
  revision: number;
  nextNumber: number;
  /** The rows that searches still see as they were, by record id. */
  readonly lagging: Map<string, { readonly before: Row | null; readonly untilMs: number }>;
  /** A write is under way. */
  isBusy: boolean;
}

export interface Tables {
  add: (name: string, columns: readonly Column[]) => Table;
  all: () => Table[];
  find: (tableId: string) => Table | null;
  /** @throws ControlRefusal when there is none. */
  get: (tableId: string) => Table;
  delete: (tableId: string) => void;
  clear: () => void;
}

export function createTables(now: () => number): Tables {
  const tables = new Map<string, Table>();
  const find = (tableId: string): Table | null => tables.get(tableId) ?? null;
  return {
    add: (name, columns) => {
      const table: Table = {
        tableId: createId('tbl', 13),
        viewId: createId('vew', 7),
        name,
        columns: [...columns],
        rows: new Map(),
        createdMs: now(),
        revision: 1,
        nextNumber: 1,
        lagging: new Map(),
        isBusy: false,
      };
      tables.set(table.tableId, table);
      return table;
    },
    all: () => [...tables.values()],
    find,
    get: (tableId) => {
      const table = find(tableId);
      if (table === null) throw new ControlRefusal(`there is no table ${tableId}`);
      return table;
    },
    delete: (tableId) => {
      tables.delete(tableId);
    },
    clear: () => tables.clear(),
  };
}

/** Puts changes into a table; searches see the rows as they were for `lagMs`. */
export function applyChanges(
  table: Table,
  changes: readonly Change[],
  nowMs: number,
  lagMs: number,
): void {
  table.revision++;
  for (const { before, after } of changes) {
    const recordId = (before ?? after)?.recordId;
    if (recordId === undefined) continue;
    if (after === null) table.rows.delete(recordId);
    else table.rows.set(recordId, after);
    if (lagMs > 0) table.lagging.set(recordId, { before, untilMs: nowMs + lagMs });
    else table.lagging.delete(recordId);
  }
}

/** The rows that a search sees now, the oldest first. */
export function visibleRows(table: Table, nowMs: number): Row[] {
  const rows = new Map(table.rows);
  for (const [recordId, { before, untilMs }] of table.lagging) {
    if (untilMs <= nowMs) table.lagging.delete(recordId);
    else if (before === null) rows.delete(recordId);
    else rows.set(recordId, before);
  }
  return [...rows.values()].toSorted((a, b) => a.number - b.number);
}
