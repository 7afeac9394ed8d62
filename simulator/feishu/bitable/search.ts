// The search of a table's rows, page by page.
import { z } from 'zod';
import type { Call } from '../http/endpoint';
import { refuse, succeed, type Reply } from '../http/reply';
import type { PersonView, People } from '../tenant/people';
import type { RightsStore } from '../tenant/rights';
import { readCell } from './cells';
import type { Column } from './columns';
import type { Document } from './document';
import { filterRows, filterSchema, sortRows, sortSchema } from './filter';
import { visibleRows, type Row } from './tables';

const PAGE_LIMIT = 500;
const DEFAULT_PAGE = 20;
const FIELD_NOT_FOUND = 1254045;

const searchBody = z.object({
  field_names: z.array(z.string()).optional(),
  filter: z.unknown().optional(),
  sort: z.unknown().optional(),
  automatic_fields: z.boolean().optional(),
});

/** The values that Feishu fills in itself. */
function automaticCell(column: Column, row: Row, people: People): unknown {
  const person = (openId: string): PersonView[] => {
    const found = people.find(openId);
    return found === null ? [] : [found];
  };
  switch (column.type) {
    case 1001:
      return row.createdMs;
    case 1002:
      return row.modifiedMs;
    case 1003:
      return person(row.createdBy);
    case 1004:
      return person(row.modifiedBy);
    case 1005:
      return String(row.number);
    default:
      return undefined;
  }
}

/** A row's filled cells by column name, as a search reads them. */
export function readFields(
  columns: readonly Column[],
  row: Row,
  people: People,
): Record<string, unknown> {
  const filled = columns.flatMap((column) => {
    const cell = row.cells.get(column.fieldId);
    const value =
      cell === undefined ? automaticCell(column, row, people) : readCell(column.type, cell, people);
    return value === undefined ? [] : [[column.name, value] as const];
  });
  return Object.fromEntries(filled);
}

function itemOf(
  columns: readonly Column[],
  row: Row,
  people: People,
  isAutomatic: boolean,
): object {
  const automatic = {
    created_by: people.find(row.createdBy),
    created_time: row.createdMs,
    last_modified_by: people.find(row.modifiedBy),
    last_modified_time: row.modifiedMs,
  };
  const fields = readFields(columns, row, people);
  return { fields, record_id: row.recordId, ...(isAutomatic ? automatic : {}) };
}

const pageTokenOf = (offset: number): string => Buffer.from(`page:${offset}`).toString('base64url');

/** The offset of a page token; null for one that Feishu never gave. */
function offsetOf(token: string | undefined): number | null {
  if (token === undefined || token === '') return 0;
  const found = /^page:(\d+)$/.exec(Buffer.from(token, 'base64url').toString());
  return found === null ? null : Number(found[1]);
}

interface Page {
  readonly size: number;
  readonly offset: number;
}

function readPage(query: Call['query']): Page | Reply {
  const size = Number(query['page_size'] ?? DEFAULT_PAGE);
  if (!Number.isInteger(size) || size < 1) return refuse(1254011);
  if (size > PAGE_LIMIT) return refuse(99992402, { detail: 'page_size: the max is 500' });
  const offset = offsetOf(query['page_token']);
  return offset === null ? refuse(1254010, { detail: 'page_token' }) : { size, offset };
}

/** The rows that the filter passes, in order; a code where either is refused. */
function select(
  rows: readonly Row[],
  columns: readonly Column[],
  body: z.output<typeof searchBody>,
  people: People,
): readonly Row[] | number {
  const filter = filterSchema.optional().safeParse(body.filter);
  if (!filter.success) return 1254018;
  const sort = sortSchema.optional().safeParse(body.sort);
  if (!sort.success) return 1254016;
  const passed = filter.data === undefined ? rows : filterRows(rows, filter.data, columns, people);
  if (typeof passed === 'number' || sort.data === undefined) return passed;
  return sortRows(passed, sort.data, columns, people);
}

/** `POST …/records/search`. An app without rights on 高级权限 finds nothing, without an error. */
export function search(
  deps: { readonly document: Document; readonly rights: RightsStore; readonly now: () => number },
  call: Call,
): Reply {
  const { document, rights } = deps;
  const { people } = document;
  const table = document.tables.find(call.params['table'] ?? '');
  if (table === null) return refuse(1254041);
  const page = readPage(call.query);
  if ('status' in page) return page;
  const parsed = searchBody.safeParse(call.body ?? {});
  if (!parsed.success) return refuse(1254001);
  const { field_names: names, automatic_fields: isAutomatic = false } = parsed.data;
  const unknown = names?.find((name) => !table.columns.some((column) => column.name === name));
  if (unknown !== undefined) return refuse(FIELD_NOT_FOUND, { detail: unknown });
  const { advancedRights, canManage } = rights.current();
  const seen = advancedRights && !canManage ? [] : visibleRows(table, deps.now());
  const rows = select(seen, table.columns, parsed.data, people);
  if (typeof rows === 'number') return refuse(rows);
  const columns = table.columns.filter(({ name }) => names === undefined || names.includes(name));
  const end = page.offset + page.size;
  const hasMore = end < rows.length;
  const next = hasMore
    ? { has_more: true, page_token: pageTokenOf(end) }
    : document.repeatsPageToken
      ? { has_more: true, page_token: call.query['page_token'] ?? pageTokenOf(page.offset) }
      : { has_more: false };
  const items = rows
    .slice(page.offset, end)
    .map((row) => itemOf(columns, row, people, isAutomatic));
  return succeed({ items, ...next, total: rows.length });
}
