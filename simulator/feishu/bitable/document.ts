// The document: its tables, the writes of the app and of people, and the events about both.
import type { EventDelivery } from '../events/post-event';
import type { Events } from '../events/events';
import { ControlRefusal } from '../http/reply';
import { errorOf } from '../http/error-codes';
import type { FeishuSettings } from '../options';
import type { People } from '../tenant/people';
import type { Clock } from '../time/clock';
import {
  addRows,
  deleteRows,
  editRows,
  type Fields,
  type Writer,
  type Written,
} from './change-rows';
import { makeColumn } from './columns';
import { ROW_EVENT, rowEvent } from './row-events';
import { applyChanges, createTables, type Change, type Table, type Tables } from './tables';

/** The lags that a test can set, in ms. */
export interface Lag {
  /** A record, column or table is "not found" so long after its creation. */
  readonly notFoundMs?: number | undefined;
  /** A search doesn't see a write that ignored the consistency check for so long. */
  readonly searchMs?: number | undefined;
}

export interface Document {
  readonly tables: Tables;
  readonly people: People;
  isSubscribed: boolean;
  rowLimit: number;
  lag: Lag;
  /** Searches repeat the page token of the last page and say that there is more. */
  repeatsPageToken: boolean;
  /** The writer of a call: the app, with the lags that are set. */
  appWriter: () => Writer;
  /** Puts changes in and sends their event. @returns the first try of the event */
  commit: (
    table: Table,
    changes: readonly Change[],
    by: string,
    lagMs?: number,
  ) => Promise<EventDelivery | null>;
  clear: () => void;
}

export interface DocumentDeps {
  readonly settings: FeishuSettings;
  readonly people: People;
  readonly clock: Clock;
  readonly events: Events;
  readonly rowLimit: number;
}

export function createDocument(deps: DocumentDeps): Document {
  const { settings, people, clock, events } = deps;
  const document: Document = {
    tables: createTables(clock.now),
    people,
    isSubscribed: false,
    rowLimit: deps.rowLimit,
    lag: {},
    repeatsPageToken: false,
    appWriter: () => ({
      people,
      by: settings.appOpenId,
      nowMs: clock.now(),
      notFoundMs: document.lag.notFoundMs ?? 0,
    }),
    commit: (table, changes, by, lagMs = 0) => {
      const nowMs = clock.now();
      applyChanges(table, changes, nowMs, lagMs);
      if (!document.isSubscribed || changes.length === 0) return Promise.resolve(null);
      const operator = people.operatorId(by);
      const about = { appToken: settings.appToken, operator, people, nowMs };
      return events.publish(ROW_EVENT, rowEvent(table, changes, about));
    },
    clear: () => {
      document.tables.clear();
      document.isSubscribed = false;
      document.rowLimit = deps.rowLimit;
      document.lag = {};
      document.repeatsPageToken = false;
    },
  };
  return document;
}

/**
 * The acts of people at Feishu's own page. Each refuses with a ControlRefusal what isn't there or
 * doesn't fit its column.
 */
export interface DocumentActs {
  edit: (
    tableId: string,
    recordId: string,
    fields: Fields,
    byOpenId: string,
  ) => Promise<EventDelivery | null>;
  addRow: (
    tableId: string,
    fields: Fields,
    byOpenId: string,
  ) => Promise<{ readonly recordId: string; readonly delivery: EventDelivery | null }>;
  deleteRow: (tableId: string, recordId: string, byOpenId: string) => Promise<EventDelivery | null>;
  renameColumn: (tableId: string, from: string, to: string) => void;
  deleteColumn: (tableId: string, name: string) => void;
  deleteTable: (tableId: string) => void;
}

function changesOf(written: Written): readonly Change[] {
  if (written.kind === 'changes') return written.changes;
  const { msg } = errorOf(written.code);
  throw new ControlRefusal(`${written.code} ${msg} ${written.detail ?? ''}`.trim());
}

export function createDocumentActs(document: Document, now: () => number): DocumentActs {
  const { tables, people } = document;
  const writer = (byOpenId: string): Writer => {
    if (people.find(byOpenId) === null) throw new ControlRefusal(`nobody is ${byOpenId}`);
    return { people, by: byOpenId, nowMs: now(), notFoundMs: 0 };
  };
  return {
    edit: async (tableId, recordId, fields, byOpenId) => {
      const table = tables.get(tableId);
      const written = editRows(table, [{ recordId, fields }], writer(byOpenId));
      return document.commit(table, changesOf(written), byOpenId);
    },
    addRow: async (tableId, fields, byOpenId) => {
      const table = tables.get(tableId);
      const changes = changesOf(addRows(table, [fields], writer(byOpenId)));
      const recordId = changes[0]?.after?.recordId ?? '';
      return { recordId, delivery: await document.commit(table, changes, byOpenId) };
    },
    deleteRow: async (tableId, recordId, byOpenId) => {
      const table = tables.get(tableId);
      const changes = changesOf(deleteRows(table, [recordId], writer(byOpenId)));
      return document.commit(table, changes, byOpenId);
    },
    renameColumn: (tableId, from, to) => {
      const table = tables.get(tableId);
      const taken = table.columns.map(({ name }) => name);
      if (!taken.includes(from)) throw new ControlRefusal(`there is no column ${from}`);
      const made = makeColumn({ field_name: to, type: 1 }, taken, now());
      if (made.kind === 'refused') throw new ControlRefusal(errorOf(made.code).msg);
      table.columns = table.columns.map((column) =>
        column.name === from ? { ...column, name: made.column.name } : column,
      );
    },
    deleteColumn: (tableId, name) => {
      const table = tables.get(tableId);
      const at = table.columns.findIndex((column) => column.name === name);
      if (at === -1) throw new ControlRefusal(`there is no column ${name}`);
      if (at === 0) throw new ControlRefusal('the index column can not be deleted');
      table.columns = table.columns.filter((column) => column.name !== name);
    },
    deleteTable: (tableId) => {
      tables.delete(tables.get(tableId).tableId);
    },
  };
}
