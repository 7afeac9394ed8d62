// The scope of one application of notices and resolutions: what it has read and changed.
import type { RefundNotice } from '../../domain/payments/notices';
import type { UnreadableValueError } from '../encryption/unreadable-value';
import type { Tx } from './context';
import { lockOrder, type LockedOrder } from './lock-order';

/** The decision about an inbox row. */
export type Verdict = 'applied' | 'already_applied' | 'conflict' | 'ignored';

/** A stored notice of WeChat. */
export interface InboxRow {
  readonly id: string;
  readonly notificationId: string;
  readonly source: string;
  /** null after the purge, which only takes rows with a verdict. */
  readonly resourceEncrypted: string | null;
  readonly receivedAt: Date;
  /** When the query ended that the notice asked for; null before, and where it asked for none. */
  readonly queriedAt: Date | null;
  /** The query named a transaction. */
  readonly queryFound: boolean;
}

/** A notice about a refund whose payment has not been reported yet. */
export interface ReportedRefund {
  readonly row: InboxRow;
  readonly notice: RefundNotice;
}

/** One transaction on one number, under the order's lock, with what it has read and changed. */
export interface Scope {
  readonly tx: Tx;
  readonly outTradeNo: string;
  readonly now: Date;
  /** null when there is no order with this number. */
  order: LockedOrder | null;
  /** True when the order's row was changed after it was read. */
  changed: boolean;
  /** True when a payment got its row: refunds that were reported before it may fit now. */
  paymentApplied: boolean;
  /** True when more refunds of that payment were reported than one transaction applies. */
  refundsLeft: boolean;
  /** True when notices with a verdict must be decided again, because they may match now. */
  decideAgain: boolean;
  /** Refunds that WeChat has reported and that are not booked yet. */
  reportedRefunds: readonly ReportedRefund[];
  /** The verdicts of inbox rows, by id; they are written with the transaction. */
  readonly verdicts: Map<string, Verdict>;
  /** Rows that could not be booked, by id: each has its intervention. */
  readonly unbooked: Set<string>;
  /** Rows that need a query of WeChat, by id. */
  readonly toQuery: Set<string>;
  /** By row id: side fields that were replaced or left out. */
  readonly unreadable: Map<string, readonly string[]>;
  /** Notices that can't be decrypted; each has its intervention. */
  readonly undecrypted: UnreadableValueError[];
  /** Numbers of the refunds whose runs have something to do. */
  readonly refunds: Set<string>;
  /** Numbers of the profit sharings whose runs have something to do. */
  readonly sharings: Set<string>;
}

/** Opens a scope on a number and locks its order, when there is one. */
export async function openScope(tx: Tx, outTradeNo: string, now: Date): Promise<Scope> {
  const order = await lockOrder(tx, outTradeNo);
  const work = { refunds: new Set<string>(), sharings: new Set<string>() };
  const notices = {
    reportedRefunds: [],
    verdicts: new Map<string, Verdict>(),
    decideAgain: false,
    paymentApplied: false,
    refundsLeft: false,
    unbooked: new Set<string>(),
    toQuery: new Set<string>(),
    unreadable: new Map<string, readonly string[]>(),
    undecrypted: [],
  };
  return { tx, outTradeNo, now, order, changed: false, ...notices, ...work };
}

/** Returns the order as it is now, after the changes of earlier steps of the transaction. */
export async function currentOrder(scope: Scope): Promise<Scope['order']> {
  if (scope.changed) {
    scope.order = await lockOrder(scope.tx, scope.outTradeNo);
    scope.changed = false;
  }
  return scope.order;
}
