/**
 * A log kept by key with a bound over all keys: the oldest key's entries go first, so a run of
 * many thousand orders can't eat the memory.
 */
export interface KeyedLog<T> {
  add: (key: string, entry: T) => void;
  of: (key: string) => readonly T[];
  all: () => T[];
  clear: () => void;
}

/** @param limit how many entries are kept over all keys. */
export function createKeyedLog<T>(limit: number): KeyedLog<T> {
  const byKey = new Map<string, T[]>();
  let size = 0;
  const dropOldest = (): void => {
    const oldest = byKey.entries().next().value;
    if (oldest === undefined) return;
    const [key, entries] = oldest;
    entries.shift();
    size--;
    if (entries.length === 0) byKey.delete(key);
  };
  return {
    add: (key, entry) => {
      const entries = byKey.get(key);
      if (entries === undefined) byKey.set(key, [entry]);
      else entries.push(entry);
      size++;
      if (size > limit) dropOldest();
    },
    of: (key) => [...(byKey.get(key) ?? [])],
    all: () => [...byKey.values()].flat(),
    clear: () => {
      byKey.clear();
      size = 0;
    },
  };
}

export const OPERATIONS = [
  'prepay',
  'query',
  'close',
  'refund',
  'refund_query',
  'abnormal_refund',
  'certificates',
  'unknown',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What a request is about, as far as it can be told. */
export interface Subject {
  readonly outTradeNo: string | null;
  readonly outRefundNo: string | null;
}

export const aboutOrder = (outTradeNo: string | null): Subject => ({
  outTradeNo,
  outRefundNo: null,
});
export const aboutNothing = (): Subject => aboutOrder(null);

export interface RequestRecord extends Subject {
  readonly at: string;
  readonly operation: Operation;
  /** What was answered; null when the connection was cut or left without an answer. */
  readonly status: number | null;
  /** SHA-256 in hex of the raw request body, null when there was none. */
  readonly bodySha256: string | null;
  /** The kind of the fault that was played, null for none. */
  readonly fault: string | null;
}

const REQUEST_LIMIT = 200_000;

/** Counts every request by operation and status, and keeps what was asked for each order and refund. */
export function createRequestRecords(): {
  record: (entry: RequestRecord) => void;
  counts: () => Record<Operation, number>;
  statuses: () => Record<string, number>;
  /** Of an order's number, its refunds included, or of a refund's. */
  of: (number: string) => readonly RequestRecord[];
  clear: () => void;
} {
  const log = createKeyedLog<RequestRecord>(REQUEST_LIMIT);
  const counts = new Map<Operation, number>();
  const statuses = new Map<string, number>();
  return {
    record: (entry) => {
      counts.set(entry.operation, (counts.get(entry.operation) ?? 0) + 1);
      const status = `${entry.operation} ${entry.status ?? 'cut'}`;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const { outTradeNo, outRefundNo } = entry;
      if (outTradeNo !== null) log.add(outTradeNo, entry);
      if (outRefundNo !== null && outRefundNo !== outTradeNo) log.add(outRefundNo, entry);
    },
    counts: () => ({
      prepay: counts.get('prepay') ?? 0,
      query: counts.get('query') ?? 0,
      close: counts.get('close') ?? 0,
      refund: counts.get('refund') ?? 0,
      refund_query: counts.get('refund_query') ?? 0,
      abnormal_refund: counts.get('abnormal_refund') ?? 0,
      certificates: counts.get('certificates') ?? 0,
      unknown: counts.get('unknown') ?? 0,
    }),
    statuses: () => Object.fromEntries(statuses),
    of: (number) => log.of(number),
    clear: () => {
      log.clear();
      counts.clear();
      statuses.clear();
    },
  };
}
