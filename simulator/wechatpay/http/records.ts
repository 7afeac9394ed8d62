// Records every request that the simulator got, and how it replied.
/**
 * A log kept by key, with a bound over all keys. The oldest key's entries go first, so a run of
 * many thousand orders can't fill the memory.
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
  'receiver_add',
  'share',
  'share_query',
  'unfreeze',
  'return',
  'return_query',
  'unsplit_query',
  'trade_bill',
  'fund_flow_bill',
  'bill_download',
  'certificates',
  'unknown',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The subject of a request, as far as it is known. */
export interface Subject {
  readonly outTradeNo: string | null;
  readonly outRefundNo: string | null;
  /** The number of a sharing or an unfreeze. */
  readonly outOrderNo: string | null;
  readonly outReturnNo: string | null;
}

export const subjectOf = (known: Partial<Subject>): Subject => ({
  outTradeNo: null,
  outRefundNo: null,
  outOrderNo: null,
  outReturnNo: null,
  ...known,
});
export const aboutOrder = (outTradeNo: string | null): Subject => subjectOf({ outTradeNo });
export const aboutNothing = (): Subject => subjectOf({});

export interface RequestRecord extends Subject {
  readonly at: string;
  readonly operation: Operation;
  /** The status of the reply; null when the connection was cut or got no reply. */
  readonly status: number | null;
  /** The `Request-ID` of the reply. */
  readonly requestId: string | null;
  /** SHA-256 in hex of the raw request body, null when there was none. */
  readonly bodySha256: string | null;
  /**
   * The SHA-256 of the content that WeChat reads, with fields decrypted; null when nobody read it.
   */
  readonly contentSha256: string | null;
  /** The kind of the fault that was played, null for none. */
  readonly fault: string | null;
}

const REQUEST_LIMIT = 200_000;

/** The things that a merchant numbers, and the requests that carry the number. */
export const NUMBERED = ['refunds', 'sharings', 'returns'] as const;
export type Numbered = (typeof NUMBERED)[number];
const NUMBER_IN: Readonly<Record<Numbered, (entry: RequestRecord) => string | null>> = {
  refunds: ({ operation, outRefundNo }) => (operation === 'refund' ? outRefundNo : null),
  sharings: ({ operation, outOrderNo }) =>
    operation === 'share' || operation === 'unfreeze' ? outOrderNo : null,
  returns: ({ operation, outReturnNo }) => (operation === 'return' ? outReturnNo : null),
};

/** How many different contents came with each number, among correctly signed requests. */
function countContents(entries: readonly RequestRecord[], of: Numbered): Record<string, number> {
  const contents = new Map<string, Set<string>>();
  for (const entry of entries) {
    const number = NUMBER_IN[of](entry);
    if (number === null || entry.contentSha256 === null) continue;
    const seen = contents.get(number) ?? new Set();
    contents.set(number, seen.add(`${entry.operation} ${entry.contentSha256}`));
  }
  return Object.fromEntries([...contents].map(([number, seen]) => [number, seen.size]));
}

/** Counts every request by operation and status, and keeps the contents of each number. */
export function createRequestRecords(): {
  record: (entry: RequestRecord) => void;
  counts: () => Record<Operation, number>;
  statuses: () => Record<string, number>;
  /** The requests of an order with its refunds and sharings, or of one of those. */
  of: (number: string) => readonly RequestRecord[];
  contents: (of: Numbered) => Record<string, number>;
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
      const { outTradeNo, outRefundNo, outOrderNo, outReturnNo } = entry;
      for (const number of new Set([outTradeNo, outRefundNo, outOrderNo, outReturnNo])) {
        if (number !== null) log.add(number, entry);
      }
    },
    counts: () => ({
      prepay: counts.get('prepay') ?? 0,
      query: counts.get('query') ?? 0,
      close: counts.get('close') ?? 0,
      refund: counts.get('refund') ?? 0,
      refund_query: counts.get('refund_query') ?? 0,
      abnormal_refund: counts.get('abnormal_refund') ?? 0,
      receiver_add: counts.get('receiver_add') ?? 0,
      share: counts.get('share') ?? 0,
      share_query: counts.get('share_query') ?? 0,
      unfreeze: counts.get('unfreeze') ?? 0,
      return: counts.get('return') ?? 0,
      return_query: counts.get('return_query') ?? 0,
      unsplit_query: counts.get('unsplit_query') ?? 0,
      trade_bill: counts.get('trade_bill') ?? 0,
      fund_flow_bill: counts.get('fund_flow_bill') ?? 0,
      bill_download: counts.get('bill_download') ?? 0,
      certificates: counts.get('certificates') ?? 0,
      unknown: counts.get('unknown') ?? 0,
    }),
    statuses: () => Object.fromEntries(statuses),
    of: (number) => log.of(number),
    contents: (of) => countContents(log.all(), of),
    clear: () => {
      log.clear();
      counts.clear();
      statuses.clear();
    },
  };
}
