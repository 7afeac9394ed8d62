// Records every call that the simulator got, and how it replied.
export const OPERATIONS = [
  'token',
  'batch_create',
  'batch_update',
  'batch_delete',
  'search',
  'fields',
  'field_create',
  'tables',
  'table_create',
  'subscribe',
  'unsubscribe',
  'subscription',
  'message_send',
  'message_update',
  'bot_hook',
  'bot_info',
  'user',
  'unknown',
] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface RequestRecord {
  readonly atMs: number;
  readonly operation: Operation;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly tableId: string | null;
  /** Parsed; null when there is none or it is the app's secret. */
  readonly body: unknown;
  /** Null: no reply. */
  readonly status: number | null;
  /** Null: no reply, or one that is not Feishu's. */
  readonly code: number | null;
  /** The `X-Tt-Logid` of the reply. */
  readonly logId: string;
  /** The kind of the fault that was played, null for none. */
  readonly fault: string | null;
}

const RECORD_LIMIT = 20_000;

export interface RequestRecords {
  add: (entry: RequestRecord) => void;
  /** The calls of one operation, or all, the oldest first. */
  of: (operation?: Operation) => RequestRecord[];
  clear: () => void;
}

/** Keeps the last calls. */
export function createRequestRecords(): RequestRecords {
  const entries: RequestRecord[] = [];
  return {
    add: (entry) => {
      entries.push(entry);
      if (entries.length > RECORD_LIMIT) entries.shift();
    },
    of: (operation) =>
      entries.filter((entry) => operation === undefined || entry.operation === operation),
    clear: () => {
      entries.length = 0;
    },
  };
}
