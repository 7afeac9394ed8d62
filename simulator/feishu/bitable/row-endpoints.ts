// The calls that write rows: batch_create, batch_update and batch_delete, each all or nothing.
import { z } from 'zod';
import type { Call } from '../http/endpoint';
import { refuse, succeed, type Reply } from '../http/reply';
import type { RightsStore } from '../tenant/rights';
import { addRows, deleteRows, editRows, type Fields, type Written } from './change-rows';
import type { Document } from './document';
import type { Row, Table } from './tables';
import type { Repeats, WriteTurn } from './write-turns';

export const BATCH_LIMIT = 1_000;
export const DELETE_LIMIT = 500;

const fields = z.record(z.string(), z.unknown());
const createBody = z.object({ records: z.array(z.object({ fields })).min(1) });
const updateBody = z.object({
  records: z.array(z.object({ record_id: z.string(), fields })).min(1),
});
const deleteBody = z.object({ records: z.array(z.string()).min(1) });

export interface RowEndpointsDeps {
  readonly document: Document;
  readonly rights: RightsStore;
  readonly repeats: Repeats;
  readonly turn: WriteTurn;
}

/** A write's echo: the values in the shape in which they were written. */
function echo(table: Table, row: Row, sent: Fields): object {
  const written = table.columns.flatMap(({ fieldId, name }) => {
    const cell = row.cells.get(fieldId);
    return cell === undefined || !(name in sent) ? [] : [[name, cell] as const];
  });
  return { fields: Object.fromEntries(written), id: row.recordId, record_id: row.recordId };
}

/** The table of the call, or a refusal: not there, too new, or no right to write. */
export function findTable(
  { document, rights }: Pick<RowEndpointsDeps, 'document' | 'rights'>,
  call: Call,
): Table | Reply {
  const table = document.tables.find(call.params['table'] ?? '');
  const { nowMs, notFoundMs } = document.appWriter();
  if (table === null) return refuse(1254041);
  if (notFoundMs > 0 && table.createdMs + notFoundMs > nowMs) return refuse(1254041);
  const { advancedRights, canManage } = rights.current();
  return advancedRights && !canManage ? refuse(1254302) : table;
}

function commit(
  { document }: RowEndpointsDeps,
  table: Table,
  written: Written,
  call: Call,
): Reply | readonly Row[] {
  if (written.kind === 'refused') return refuse(written.code, { detail: written.detail });
  const ignoresCheck = call.query['ignore_consistency_check'] === 'true';
  const lagMs = ignoresCheck ? (document.lag.searchMs ?? 0) : 0;
  void document.commit(table, written.changes, document.appWriter().by, lagMs);
  return written.changes.flatMap(({ after }) => (after === null ? [] : [after]));
}

const isReply = (value: Table | Reply | readonly Row[]): value is Reply => 'status' in value;

async function create(deps: RowEndpointsDeps, call: Call): Promise<Reply> {
  const table = findTable(deps, call);
  if (isReply(table)) return table;
  const parsed = createBody.safeParse(call.body);
  if (!parsed.success) return refuse(1254001);
  const sent = parsed.data.records.map((record) => record.fields);
  if (sent.length > BATCH_LIMIT) return refuse(1254104);
  const write = (): Reply => {
    if (table.rows.size + sent.length > deps.document.rowLimit) return refuse(1254103);
    const rows = commit(deps, table, addRows(table, sent, deps.document.appWriter()), call);
    if (isReply(rows)) return rows;
    return succeed({ records: rows.map((row, at) => echo(table, row, sent[at] ?? {})) });
  };
  const content = [table.tableId, sent];
  return deps.turn(table, () => deps.repeats.once(call.query['client_token'], content, write));
}

async function update(deps: RowEndpointsDeps, call: Call): Promise<Reply> {
  const table = findTable(deps, call);
  if (isReply(table)) return table;
  const parsed = updateBody.safeParse(call.body);
  if (!parsed.success) return refuse(1254001);
  if (parsed.data.records.length > BATCH_LIMIT) return refuse(1254104);
  const rows = parsed.data.records.map((record) => ({
    recordId: record.record_id,
    fields: record.fields,
  }));
  return deps.turn(table, () => {
    const edited = commit(deps, table, editRows(table, rows, deps.document.appWriter()), call);
    if (isReply(edited)) return edited;
    const byId = new Map(edited.map((row) => [row.recordId, row]));
    const records = rows.flatMap(({ recordId, fields: sent }) => {
      const row = byId.get(recordId);
      return row === undefined ? [] : [echo(table, row, sent)];
    });
    return succeed({ records });
  });
}

async function remove(deps: RowEndpointsDeps, call: Call): Promise<Reply> {
  const table = findTable(deps, call);
  if (isReply(table)) return table;
  const parsed = deleteBody.safeParse(call.body);
  if (!parsed.success) return refuse(1254001);
  const ids = parsed.data.records;
  if (ids.length > DELETE_LIMIT) return refuse(1254104);
  return deps.turn(table, () => {
    const deleted = commit(deps, table, deleteRows(table, ids, deps.document.appWriter()), call);
    if (isReply(deleted)) return deleted;
    return succeed({ records: ids.map((id) => ({ deleted: true, record_id: id })) });
  });
}

export interface RowEndpoints {
  create: (call: Call) => Promise<Reply>;
  update: (call: Call) => Promise<Reply>;
  remove: (call: Call) => Promise<Reply>;
}

export function createRowEndpoints(deps: RowEndpointsDeps): RowEndpoints {
  return {
    create: (call) => create(deps, call),
    update: (call) => update(deps, call),
    remove: (call) => remove(deps, call),
  };
}
