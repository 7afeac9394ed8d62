// Makes the changes of rows that a write wants, and refuses values that a column doesn't take.
import { createId } from '../http/identifiers';
import type { People } from '../tenant/people';
import { convert, type Cell } from './cells';
import { makeOption, type Column } from './columns';
import type { Change, Row, Table } from './tables';

export type Fields = Readonly<Record<string, unknown>>;

export type Written =
  | { readonly kind: 'changes'; readonly changes: readonly Change[] }
  | { readonly kind: 'refused'; readonly code: number; readonly detail?: string };

export interface Writer {
  readonly people: People;
  /** The open_id of the writer. */
  readonly by: string;
  readonly nowMs: number;
  /** A column, record or table is not found so long after its creation. */
  readonly notFoundMs: number;
}

type Cells =
  | { readonly kind: 'cells'; readonly cells: ReadonlyMap<string, Cell> }
  | { readonly kind: 'refused'; readonly code: number; readonly detail: string };

const FIELD_NOT_FOUND = 1254045;
const RECORD_NOT_FOUND = 1254043;

const isNew = (createdMs: number, { nowMs, notFoundMs }: Writer): boolean =>
  notFoundMs > 0 && createdMs + notFoundMs > nowMs;

/** A select takes an unknown name as a new option, without a word. */
function addOptions(column: Column, cell: Cell): Column {
  if (column.type !== 3 && column.type !== 4) return column;
  const names = typeof cell === 'string' ? [cell] : (cell as readonly string[]);
  const known = column.options.map(({ name }) => name);
  const fresh = names.filter((name) => !known.includes(name));
  const made = fresh.map((name, at) => makeOption(name, undefined, known.length + at));
  return made.length === 0 ? column : { ...column, options: [...column.options, ...made] };
}

/** Rewrites `columns` where a select gets a new option. */
function cellsOf(
  columns: Column[],
  old: ReadonlyMap<string, Cell>,
  fields: Fields,
  writer: Writer,
): Cells {
  const cells = new Map(old);
  for (const [name, value] of Object.entries(fields)) {
    const at = columns.findIndex((column) => column.name === name);
    const column = columns[at];
    if (column === undefined || isNew(column.createdMs, writer)) {
      return { kind: 'refused', code: FIELD_NOT_FOUND, detail: `fields.${name}` };
    }
    const converted = convert(column.type, value, writer.people);
    if (converted.kind === 'refused') {
      return { kind: 'refused', code: converted.code, detail: `fields.${name}` };
    }
    if (converted.kind === 'empty') {
      cells.delete(column.fieldId);
      continue;
    }
    cells.set(column.fieldId, converted.cell);
    columns[at] = addOptions(column, converted.cell);
  }
  return { kind: 'cells', cells };
}

/** New rows: all of them, or a refusal. */
export function addRows(table: Table, rows: readonly Fields[], writer: Writer): Written {
  const columns = [...table.columns];
  const changes: Change[] = [];
  const { by, nowMs } = writer;
  for (const [at, fields] of rows.entries()) {
    const made = cellsOf(columns, new Map(), fields, writer);
    if (made.kind === 'refused') return made;
    const after: Row = {
      recordId: createId('rec', 11),
      number: table.nextNumber + at,
      cells: made.cells,
      createdBy: by,
      createdMs: nowMs,
      modifiedBy: by,
      modifiedMs: nowMs,
    };
    changes.push({ before: null, after });
  }
  table.columns = columns;
  table.nextNumber += rows.length;
  return { kind: 'changes', changes };
}

/** Other values of some cells: all of the rows, or a refusal. */
export function editRows(
  table: Table,
  rows: readonly { readonly recordId: string; readonly fields: Fields }[],
  writer: Writer,
): Written {
  const columns = [...table.columns];
  const edited = new Map<string, Change>();
  for (const { recordId, fields } of rows) {
    const before = edited.get(recordId)?.after ?? table.rows.get(recordId);
    if (before === undefined || isNew(before.createdMs, writer)) {
      return { kind: 'refused', code: RECORD_NOT_FOUND, detail: recordId };
    }
    const made = cellsOf(columns, before.cells, fields, writer);
    if (made.kind === 'refused') return made;
    const after = {
      ...before,
      cells: made.cells,
      modifiedBy: writer.by,
      modifiedMs: writer.nowMs,
    };
    edited.set(recordId, { before: table.rows.get(recordId) ?? null, after });
  }
  table.columns = columns;
  return { kind: 'changes', changes: [...edited.values()] };
}

/** Deletes rows: all of them, or a refusal. */
export function deleteRows(table: Table, recordIds: readonly string[], writer: Writer): Written {
  const changes: Change[] = [];
  for (const recordId of new Set(recordIds)) {
    const before = table.rows.get(recordId);
    if (before === undefined || isNew(before.createdMs, writer)) {
      return { kind: 'refused', code: RECORD_NOT_FOUND, detail: recordId };
    }
    changes.push({ before, after: null });
  }
  return { kind: 'changes', changes };
}
