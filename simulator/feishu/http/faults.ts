// Faults that a test or the demo plays on calls: errors, silence, broken connections, late replies.
import type { Operation } from './records';

/**
 * `error`: one of Feishu's errors, nothing done. `http`: the page of a proxy, nothing done. `hang`
 * and `cut`: no reply or a broken connection, nothing done. `hang_after` and `cut_after`: the work
 * is done, then no reply, so the caller can't know. `odd`: the work is done, and the reply is not
 * JSON. `delay`: only late.
 */
export const FAULT_KINDS = [
  'error',
  'http',
  'hang',
  'hang_after',
  'cut',
  'cut_after',
  'odd',
  'delay',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly operation: Operation | '*';
  readonly kind: FaultKind;
  /** For `error`. Default 1254290. */
  readonly code?: number | undefined;
  /** The HTTP status. Default the code's own, and 502 for `http`. */
  readonly status?: number | undefined;
  /** For 99991400. Default 1. */
  readonly resetSeconds?: number | undefined;
  /** How many calls it applies to. Default 1; `Infinity`: until it is cleared. */
  readonly times?: number | undefined;
  /** Waits so long before anything happens. */
  readonly delayMs?: number | undefined;
  /** Only calls about this table. */
  readonly tableId?: string | undefined;
}

export interface Faults {
  add: (fault: Fault) => void;
  /** Returns the oldest fault that applies to this call, and counts it down. */
  take: (operation: Operation, tableId: string | null) => Fault | null;
  clear: () => void;
}

/** Keeps faults in the order in which they were set. */
export function createFaults(): Faults {
  const waiting: { readonly fault: Fault; left: number }[] = [];
  return {
    add: (fault) => {
      waiting.push({ fault, left: fault.times ?? 1 });
    },
    take: (operation, tableId) => {
      const index = waiting.findIndex(
        ({ fault }) =>
          (fault.operation === '*' || fault.operation === operation) &&
          (fault.tableId === undefined || fault.tableId === tableId),
      );
      const found = waiting[index];
      if (found === undefined) return null;
      found.left--;
      if (found.left <= 0) waiting.splice(index, 1);
      return found.fault;
    },
    clear: () => {
      waiting.length = 0;
    },
  };
}
