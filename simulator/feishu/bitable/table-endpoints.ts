// The calls about tables, columns and the subscription to the document's events.
import { z } from 'zod';
import type { Call } from '../http/endpoint';
import { refuse, succeed, type Reply } from '../http/reply';
import type { RightsStore } from '../tenant/rights';
import {
  canBeIndex,
  columnSpec,
  COLUMN_LIMIT,
  makeColumn,
  viewOfColumn,
  type Column,
} from './columns';
import type { Document } from './document';
import { findTable } from './row-endpoints';

const TABLE_LIMIT = 100;
const FIELD_PAGE = 100;
const TABLE_NAME = /^[^/\\?*:[\]]{1,100}$/;

const tableBody = z.object({
  table: z.object({
    name: z.string(),
    default_view_name: z.string().optional(),
    fields: z.array(columnSpec).optional(),
  }),
});

export interface TableEndpointsDeps {
  readonly document: Document;
  readonly rights: RightsStore;
  readonly now: () => number;
}

const refuseRights = ({ rights }: TableEndpointsDeps): Reply | null =>
  rights.current().canManage ? null : refuse(1254302);

function createTable(deps: TableEndpointsDeps, call: Call): Reply {
  const { tables } = deps.document;
  const parsed = tableBody.safeParse(call.body);
  if (!parsed.success) return refuse(1254001);
  const { name: sentName, default_view_name: viewName, fields } = parsed.data.table;
  const name = sentName.trim();
  if (!TABLE_NAME.test(name)) return refuse(1254001, { detail: 'table.name' });
  if (viewName !== undefined && fields === undefined) return refuse(1254001, { detail: 'fields' });
  if (tables.all().some((table) => table.name === name)) return refuse(1254013);
  if (tables.all().length >= TABLE_LIMIT) return refuse(1254100);
  const specs = fields ?? [{ field_name: '多行文本', type: 1 }];
  if (specs.length > COLUMN_LIMIT) return refuse(1254105);
  if (specs[0] === undefined || !canBeIndex(specs[0].type)) return refuse(1254012);
  const columns: Column[] = [];
  for (const spec of specs) {
    const made = makeColumn(
      spec,
      columns.map((column) => column.name),
      deps.now(),
    );
    if (made.kind === 'refused') return refuse(made.code, { detail: spec.field_name });
    columns.push(made.column);
  }
  const table = tables.add(name, columns);
  return succeed({
    table_id: table.tableId,
    default_view_id: table.viewId,
    field_id_list: columns.map(({ fieldId }) => fieldId),
  });
}

function addColumn(deps: TableEndpointsDeps, call: Call): Reply {
  const table = findTable(deps, call);
  if ('status' in table) return table;
  const parsed = columnSpec.safeParse(call.body);
  if (!parsed.success) return refuse(1254001);
  if (table.columns.length >= COLUMN_LIMIT) return refuse(1254105);
  const taken = table.columns.map(({ name }) => name);
  const made = makeColumn(parsed.data, taken, deps.now());
  if (made.kind === 'refused') return refuse(made.code);
  table.columns = [...table.columns, made.column];
  return succeed({ field: viewOfColumn(made.column, false) });
}

/** A page of a list whose page token is the id of its last item. */
function pageOf<T>(all: readonly T[], idOf: (one: T) => string, query: Call['query']) {
  const size = Math.min(FIELD_PAGE, Number(query['page_size'] ?? 20));
  const token = query['page_token'];
  const start = token === undefined ? 0 : all.findIndex((one) => idOf(one) === token) + 1;
  const items = all.slice(start, start + size);
  const last = items.at(-1);
  return {
    items,
    has_more: start + items.length < all.length,
    page_token: last === undefined ? '' : idOf(last),
    total: all.length,
  };
}

function listColumns({ document }: TableEndpointsDeps, call: Call): Reply {
  const table = document.tables.find(call.params['table'] ?? '');
  if (table === null) return refuse(1254041);
  const page = pageOf(table.columns, ({ fieldId }) => fieldId, call.query);
  const items = page.items.map((column) => viewOfColumn(column, column === table.columns[0]));
  return succeed({ ...page, items });
}

function listTables({ document }: TableEndpointsDeps, call: Call): Reply {
  const page = pageOf(document.tables.all(), ({ tableId }) => tableId, call.query);
  const items = page.items.map(({ tableId, revision, name }) => ({
    table_id: tableId,
    revision,
    name,
  }));
  return succeed({ ...page, items });
}

/** `…/drive/v1/files/:file/…`: needs to manage the document. */
function subscription(deps: TableEndpointsDeps, call: Call, change: boolean | null): Reply {
  if (call.query['file_type'] !== 'bitable') return refuse(1069602);
  if (!deps.rights.current().canManage) return refuse(1069603);
  if (change === null) return succeed({ is_subscribe: deps.document.isSubscribed });
  deps.document.isSubscribed = change;
  return succeed();
}

export type TableEndpoints = Readonly<
  Record<
    | 'createTable'
    | 'listTables'
    | 'addColumn'
    | 'listColumns'
    | 'subscribe'
    | 'unsubscribe'
    | 'subscription',
    (call: Call) => Reply
  >
>;

export function createTableEndpoints(deps: TableEndpointsDeps): TableEndpoints {
  return {
    createTable: (call) => refuseRights(deps) ?? createTable(deps, call),
    listTables: (call) => listTables(deps, call),
    addColumn: (call) => refuseRights(deps) ?? addColumn(deps, call),
    listColumns: (call) => listColumns(deps, call),
    subscribe: (call) => subscription(deps, call, true),
    unsubscribe: (call) => subscription(deps, call, false),
    subscription: (call) => subscription(deps, call, null),
  };
}
