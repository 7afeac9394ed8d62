import type { Transaction } from './context';
import type { LockedOrder } from './status-change';

export type Verdict = 'applied' | 'already_applied' | 'conflict' | 'ignored';

export interface InboxRow {
  readonly id: string;
  readonly notificationId: string;
  readonly source: string;
  /** null once it is purged, which only happens to rows with a verdict. */
  readonly resourceEncrypted: string | null;
}

/** What the application of one row may change, under the order's lock. */
export interface Scope {
  readonly tx: Transaction;
  readonly outTradeNo: string;
  readonly now: Date;
  order: LockedOrder | null;
  /** The order's row was changed after it was read. */
  changed: boolean;
  /** Notices that had a verdict wait for another one: they may fit by now. */
  judgeAnew: boolean;
  /** Refunds whose runs have something to do, by number. */
  readonly refunds: Set<string>;
  /** The same of profit sharings. */
  readonly sharings: Set<string>;
}
