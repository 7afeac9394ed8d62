// Tables and rows as the control object and the page show them.
import type { Document } from '../bitable/document';
import { readFields } from '../bitable/search';
import type { Table } from '../bitable/tables';
import type { RowView, TableView } from './simulator';

export function viewOfTable({ tableId, name, columns, rows }: Table): TableView {
  return {
    tableId,
    name,
    fields: columns.map((column) => ({
      fieldId: column.fieldId,
      name: column.name,
      type: column.type,
      options: column.options.map((option) => option.name),
    })),
    rows: rows.size,
  };
}

/** The rows of a table, the oldest first. @throws ControlRefusal when there is no such table */
export function viewOfRows({ tables, people }: Document, tableId: string): RowView[] {
  const table = tables.get(tableId);
  return [...table.rows.values()].map((row) => ({
    recordId: row.recordId,
    fields: readFields(table.columns, row, people),
    createdBy: row.createdBy,
    lastModifiedBy: row.modifiedBy,
    lastModifiedMs: row.modifiedMs,
  }));
}
