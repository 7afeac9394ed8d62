// Faults that a test or the demo plays on requests: errors, time-outs, cuts, forged replies.
import type { Operation, Subject } from './records';

/**
 * `error`: WeChat's error reply, signed unless `signed` is false. `timeout`: no reply, nothing
 * done. `cut`: the connection breaks, nothing done. `timeout_after` and `cut_after`: the work is
 * done, then no reply, so the outcome is unknown to the caller. `unsigned` and `forged`: the work
 * is done, and the reply carries no signature or a wrong one. `odd`: the work is done, and some
 * fields of the signed reply are wrong. `html`: the page of a proxy, nothing done. `delay`: only
 * late.
 */
export const FAULT_KINDS = [
  'error',
  'timeout',
  'timeout_after',
  'cut',
  'cut_after',
  'unsigned',
  'forged',
  'odd',
  'html',
  'delay',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly operation: Operation | '*';
  readonly kind: FaultKind;
  /** For `error` and `html`. Default 500 and 502. */
  readonly status?: number | undefined;
  /** For `error`. Default SYSTEM_ERROR. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly signed?: boolean | undefined;
  /** For `odd`: new values of fields of a 2xx reply, by dotted path (`amount.total`). */
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
  /** For `odd`: fields that are left out. */
  readonly without?: readonly string[] | undefined;
  /** How many requests the fault applies to. Default 1. */
  readonly times?: number | undefined;
  /** Waits this long before anything happens. */
  readonly delayMs?: number | undefined;
  /** Only requests about this order. */
  readonly outTradeNo?: string | undefined;
  /** Only requests about this refund. */
  readonly outRefundNo?: string | undefined;
  /** Only requests about this sharing. */
  readonly outOrderNo?: string | undefined;
  /** Only requests about this return. */
  readonly outReturnNo?: string | undefined;
}

export interface Faults {
  add: (fault: Fault) => void;
  /** Returns the oldest fault that applies to this request, and counts it down. */
  take: (operation: Operation, subject: Subject) => Fault | null;
  open: () => readonly (Fault & { readonly left: number })[];
  clear: () => void;
}

const NUMBERS = ['outTradeNo', 'outRefundNo', 'outOrderNo', 'outReturnNo'] as const;

/** Keeps faults in the order they were set; each applies to as many requests as it says. */
export function createFaults(): Faults {
  const waiting: { fault: Fault; left: number }[] = [];
  return {
    add: (fault) => {
      waiting.push({ fault, left: fault.times ?? 1 });
    },
    take: (operation, subject) => {
      const index = waiting.findIndex(
        ({ fault }) =>
          (fault.operation === '*' || fault.operation === operation) &&
          NUMBERS.every((name) => fault[name] === undefined || fault[name] === subject[name]),
      );
      const found = waiting[index];
      if (found === undefined) return null;
      found.left--;
      if (found.left <= 0) waiting.splice(index, 1);
      return found.fault;
    },
    open: () => waiting.map(({ fault, left }) => ({ ...fault, left })),
    clear: () => {
      waiting.length = 0;
    },
  };
}
