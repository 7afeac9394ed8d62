import type { RefundNotice } from '../../domain/payments/notices';
import type { Tx } from './context';
import { lockOrder, type LockedOrder } from './lock-order';

export type Verdict = 'applied' | 'already_applied' | 'conflict' | 'ignored';

export interface InboxRow {
  readonly id: string;
  readonly notificationId: string;
  readonly source: string;
  /** null once it is purged, which only happens to rows with a verdict. */
  readonly resourceEncrypted: string | null;
}

/** A refund's notice that waits for its payment. */
export interface ReportedRefund {
  readonly row: InboxRow;
  readonly notice: RefundNotice;
}

/** What the application of one row may change, under the order's lock. */
export interface Scope {
  readonly tx: Tx;
  readonly outTradeNo: string;
  readonly now: Date;
  order: LockedOrder | null;
  /** The order's row was changed after it was read. */
  changed: boolean;
  /** Notices that had a verdict wait for another one: they may fit by now. */
  decideAgain: boolean;
  /** Refunds that WeChat told of and nobody has booked. */
  reportedRefunds: readonly ReportedRefund[];
  /** What was decided of inbox rows, by id; written with the transaction. */
  readonly verdicts: Map<string, Verdict>;
  /** Refunds whose runs have something to do, by number. */
  readonly refunds: Set<string>;
  /** The same of profit sharings. */
  readonly sharings: Set<string>;
}

/** A scope on a number of ours or not, its order locked. */
export async function openScope(tx: Tx, outTradeNo: string, now: Date): Promise<Scope> {
  const order = await lockOrder(tx, outTradeNo);
  const work = { refunds: new Set<string>(), sharings: new Set<string>() };
  const notices = { reportedRefunds: [], verdicts: new Map<string, Verdict>(), decideAgain: false };
  return { tx, outTradeNo, now, order, changed: false, ...notices, ...work };
}

/** The order as it is now, after what earlier steps of the transaction changed. */

export async function currentOrder(scope: Scope): Promise<Scope['order']> {
  if (scope.changed) {
    scope.order = await lockOrder(scope.tx, scope.outTradeNo);
    scope.changed = false;
  }
  return scope.order;
}
