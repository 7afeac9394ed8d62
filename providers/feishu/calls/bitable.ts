// Calls about the rows, columns and tables of one Bitable document.
import { z } from 'zod';
import type { FeishuOutcome } from './outcome';
import type { FeishuCall, FeishuPerform } from './perform';
import { createWriteLine } from './write-line';

/** Feishu's limit for a page of a search and, in its older pages, for a batch. */
export const MAX_BATCH_ROWS = 500;

/** 100,000 rows: twice the largest table that Feishu sells. */
const MAX_PAGES = 200;

export type Fields = Readonly<Record<string, unknown>>;

export interface Row {
  readonly recordId: string;
  readonly fields: Fields;
}

export interface Column {
  readonly field_name: string;
  /** Feishu's number: 1 text, 2 number, 3 single select, 5 time. */
  readonly type: number;
  readonly property?: { readonly options: readonly { readonly name: string }[] } | undefined;
}

export interface BitableCalls {
  /**
   * Adds all rows or none. A repeat with the same `clientToken` adds nothing.
   * @param batch.clientToken a UUID v4, stored before the first send
   * @returns the new record ids, in order
   */
  createRows(
    tableId: string,
    batch: { readonly clientToken: string; readonly rows: readonly Fields[] },
  ): Promise<FeishuOutcome<readonly string[]>>;
  /** Overwrites the named fields of each row: a repeat changes nothing more. */
  updateRows(tableId: string, rows: readonly Row[]): Promise<FeishuOutcome<null>>;
  deleteRows(tableId: string, recordIds: readonly string[]): Promise<FeishuOutcome<null>>;
  /** All rows with the named columns, page after page. */
  searchRows(
    tableId: string,
    fieldNames: readonly string[],
  ): Promise<FeishuOutcome<readonly Row[]>>;
  columns(tableId: string): Promise<FeishuOutcome<readonly Column[]>>;
  addColumn(tableId: string, column: Column): Promise<FeishuOutcome<null>>;
  /** Makes a table whose first column is its index, and returns its id. */
  createTable(name: string, columns: readonly Column[]): Promise<FeishuOutcome<string>>;
  /** Lets Feishu send an event for each changed row of the document. */
  subscribe(): Promise<FeishuOutcome<null>>;
}

const recordSchema = z.object({
  record_id: z.string(),
  fields: z.record(z.string(), z.unknown()),
});
const createdSchema = z.object({ data: z.object({ records: z.array(recordSchema) }) });
const pageSchema = z.object({
  data: z.object({
    items: z.array(recordSchema).nullish(),
    has_more: z.boolean(),
    page_token: z.string().optional(),
  }),
});
const columnsSchema = z.object({
  data: z.object({ items: z.array(z.object({ field_name: z.string(), type: z.number() })) }),
});
const tableSchema = z.object({ data: z.object({ table_id: z.string() }) });

const nothing = () => ({ value: null });

/** Makes a reader of replies: null for those that do not fit the schema. */
function reader<S, T>(schema: z.ZodType<S>, pick: (seen: S) => T): FeishuCall<T>['read'] {
  return (json) => {
    const seen = schema.safeParse(json);
    return seen.success ? { value: pick(seen.data) } : null;
  };
}

const rowOf = (record: z.infer<typeof recordSchema>): Row => ({
  recordId: record.record_id,
  fields: record.fields,
});

/** @param appToken the document's, which is not the token in the address of a wiki page */
export function createBitableCalls(perform: FeishuPerform, appToken: string): BitableCalls {
  const inTurn = createWriteLine();
  const { withToken } = perform;
  const base = `/open-apis/bitable/v1/apps/${encodeURIComponent(appToken)}/tables`;
  const pathOf = (tableId: string) => `${base}/${encodeURIComponent(tableId)}`;
  const write = <T>(tableId: string, call: Omit<FeishuCall<T>, 'method'>) =>
    inTurn(tableId, () => withToken({ method: 'POST', ...call }));
  return {
    createRows: (tableId, { clientToken, rows }) =>
      write(tableId, {
        operation: 'batch_create',
        path: `${pathOf(tableId)}/records/batch_create?client_token=${clientToken}`,
        body: { records: rows.map((fields) => ({ fields })) },
        read: (json) => {
          const pick = reader(createdSchema, ({ data }) => data.records.map(rowOf));
          const seen = pick(json)?.value;
          if (seen?.length !== rows.length) return null;
          return { value: seen.map(({ recordId }) => recordId) };
        },
      }),
    updateRows: (tableId, rows) =>
      write(tableId, {
        operation: 'batch_update',
        path: `${pathOf(tableId)}/records/batch_update`,
        body: { records: rows.map(({ recordId, fields }) => ({ record_id: recordId, fields })) },
        read: nothing,
      }),
    deleteRows: (tableId, recordIds) =>
      write(tableId, {
        operation: 'batch_delete',
        path: `${pathOf(tableId)}/records/batch_delete`,
        body: { records: recordIds },
        read: nothing,
      }),
    searchRows: (tableId, fieldNames) => searchPages(perform, pathOf(tableId), fieldNames),
    columns: (tableId) =>
      withToken({
        operation: 'fields',
        method: 'GET',
        path: `${pathOf(tableId)}/fields?page_size=100`,
        body: null,
        read: reader(columnsSchema, ({ data }) => data.items),
      }),
    addColumn: (tableId, column) =>
      write(tableId, {
        operation: 'field_create',
        path: `${pathOf(tableId)}/fields`,
        body: column,
        read: nothing,
      }),
    createTable: (name, columns) =>
      withToken({
        operation: 'table_create',
        method: 'POST',
        path: base,
        body: { table: { name, default_view_name: name, fields: columns } },
        read: reader(tableSchema, ({ data }) => data.table_id),
      }),
    subscribe: () =>
      withToken({
        operation: 'subscribe',
        method: 'POST',
        path:
          `/open-apis/drive/v1/files/${encodeURIComponent(appToken)}` +
          '/subscribe?file_type=bitable',
        body: null,
        read: nothing,
      }),
  };
}

/** Stops also when Feishu repeats a page token: its last page has been seen to do so. */
async function searchPages(
  { withToken }: FeishuPerform,
  tablePath: string,
  fieldNames: readonly string[],
): Promise<FeishuOutcome<readonly Row[]>> {
  const rows: Row[] = [];
  const seenTokens = new Set<string>();
  let pageToken = '';
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const from = pageToken === '' ? '' : `&page_token=${encodeURIComponent(pageToken)}`;
    const outcome = await withToken({
      operation: 'search',
      method: 'POST',
      path: `${tablePath}/records/search?page_size=${MAX_BATCH_ROWS}${from}`,
      body: { field_names: fieldNames, automatic_fields: true },
      read: reader(pageSchema, ({ data }) => data),
    });
    if (outcome.kind !== 'ok') return outcome;
    const { items, has_more: hasMore, page_token: next = '' } = outcome.value;
    rows.push(...(items ?? []).map(rowOf));
    if (!hasMore || next === '' || seenTokens.has(next)) {
      return { kind: 'ok', value: rows, logId: outcome.logId };
    }
    seenTokens.add(next);
    pageToken = next;
  }
  const message = `more than ${MAX_PAGES} pages of rows`;
  return { kind: 'refused', code: null, message, logId: null, waitMs: null };
}
