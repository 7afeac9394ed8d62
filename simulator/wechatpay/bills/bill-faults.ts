// Faults of bills that a test or the demo plays: at the request, in the file, at the download.

/**
 * Faults of a request: `creating` and `no_auth` are WeChat's refusals. After `wrong_hash` the file
 * has another SHA-1 than the response says, and after `other_origin` the URL leads to another host.
 */
export const REQUEST_FAULTS = ['creating', 'no_auth', 'wrong_hash', 'other_origin'] as const;
/**
 * Faults of a file. One line is left out, changed, doubled or broken: the one of the given number,
 * or else the first. `foreign_line` adds the payment of another system, `wrong_summary` adds one
 * fen to each sum.
 */
export const FILE_FAULTS = [
  'missing_line',
  'foreign_line',
  'changed_amount',
  'changed_status',
  'duplicate_line',
  'broken_line',
  'wrong_summary',
] as const;
/**
 * Faults of a download: `cut` breaks the connection within the file, `expired` is WeChat's refusal
 * of an old URL, `html` is an error page with status 200, and `plain` ignores the wish for GZIP.
 */
export const DOWNLOAD_FAULTS = ['cut', 'expired', 'html', 'plain'] as const;
export const BILL_FAULT_KINDS = [...REQUEST_FAULTS, ...FILE_FAULTS, ...DOWNLOAD_FAULTS] as const;

export const BILL_KINDS = ['trade', 'fund_flow'] as const;
export type BillKind = (typeof BILL_KINDS)[number];

export interface BillFault {
  readonly kind: (typeof BILL_FAULT_KINDS)[number];
  /** Default: the trade bill. */
  readonly bill?: BillKind | undefined;
  /** Only the bill of this day, `YYYY-MM-DD`. */
  readonly billDate?: string | undefined;
  /**
   * How many requests or downloads it applies to. Default 1; a fault of the file stays until the
   * reset, because WeChat's file stays the same too.
   */
  readonly times?: number | undefined;
  /** The line of this order, or the order number of the foreign line. */
  readonly outTradeNo?: string | undefined;
  /** The line of this refund. */
  readonly outRefundNo?: string | undefined;
  /** For `changed_amount`: the new amount. Default: one fen more. */
  readonly totalFen?: number | undefined;
  /** For `changed_status`: the word in the bill, such as `PROCESSING`. */
  readonly status?: string | undefined;
}

/** The bill that a request or a download is about. */
export interface BillSubject {
  readonly bill: BillKind;
  readonly billDate: string;
}

export interface BillFaults {
  readonly add: (fault: BillFault) => void;
  /** The oldest fault of one of these kinds that applies; it is counted down. */
  readonly take: (kinds: readonly BillFault['kind'][], subject: BillSubject) => BillFault | null;
  /** All faults of these kinds that apply; each is counted down. */
  readonly takeAll: (
    kinds: readonly BillFault['kind'][],
    subject: BillSubject,
  ) => readonly BillFault[];
  readonly clear: () => void;
}

function timesOf({ kind, times }: BillFault): number {
  const stays = FILE_FAULTS.some((one) => one === kind);
  return times ?? (stays ? Infinity : 1);
}

/** Keeps faults in the order in which they were set. */
export function createBillFaults(): BillFaults {
  let waiting: { readonly fault: BillFault; left: number }[] = [];
  const applying = (kinds: readonly BillFault['kind'][], { bill, billDate }: BillSubject) =>
    waiting.filter(
      ({ fault }) =>
        kinds.includes(fault.kind) &&
        (fault.bill ?? 'trade') === bill &&
        (fault.billDate ?? billDate) === billDate,
    );
  const count = (taken: typeof waiting): BillFault[] => {
    for (const one of taken) one.left -= 1;
    waiting = waiting.filter(({ left }) => left > 0);
    return taken.map(({ fault }) => fault);
  };
  return {
    add: (fault) => {
      waiting.push({ fault, left: timesOf(fault) });
    },
    take: (kinds, subject) => count(applying(kinds, subject).slice(0, 1))[0] ?? null,
    takeAll: (kinds, subject) => count(applying(kinds, subject)),
    clear: () => {
      waiting = [];
    },
  };
}
