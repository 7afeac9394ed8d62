// Builds the event of changed rows: keyed by field id, each value JSON in a string.
import type { OperatorId, People } from '../tenant/people';
import { readCell } from './cells';
import type { Change, Row, Table } from './tables';

export const ROW_EVENT = 'drive.file.bitable_record_changed_v1';

interface FieldValue {
  readonly field_id: string;
  readonly field_value: string;
}

function valuesOf(table: Table, row: Row | null, other: Row | null, people: People): FieldValue[] {
  if (row === null) return [];
  return table.columns.flatMap(({ fieldId, type }) => {
    const cell = row.cells.get(fieldId);
    const isSame = JSON.stringify(cell) === JSON.stringify(other?.cells.get(fieldId));
    if (other !== null && isSame) return [];
    const value = cell === undefined ? '' : JSON.stringify(readCell(type, cell, people));
    return [{ field_id: fieldId, field_value: value }];
  });
}

function actionOf(table: Table, { before, after }: Change, people: People): object {
  const added = before === null ? 'record_added' : 'record_edited';
  return {
    record_id: (before ?? after)?.recordId,
    action: after === null ? 'record_deleted' : added,
    before_value: valuesOf(table, before, after, people),
    after_value: valuesOf(table, after, before, people),
  };
}

/** The `event` of `drive.file.bitable_record_changed_v1`. */
export function rowEvent(
  table: Table,
  changes: readonly Change[],
  about: {
    readonly appToken: string;
    readonly operator: OperatorId;
    readonly people: People;
    readonly nowMs: number;
  },
): object {
  return {
    file_type: 'bitable',
    file_token: about.appToken,
    table_id: table.tableId,
    revision: table.revision,
    operator_id: about.operator,
    action_list: changes.map((change) => actionOf(table, change, about.people)),
    subscriber_id_list: [],
    update_time: Math.floor(about.nowMs / 1000),
  };
}
