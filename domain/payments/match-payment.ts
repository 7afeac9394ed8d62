// Compares a reported payment with its order: does the money fit, and is it the first.
// Sandbox: deterministic only.
import type { InterventionReason } from '../interventions/reasons';
import type { Fen } from '../money';
import { canBePaid, type OrderStatus } from '../orders/order-state';
import { carriesMoney, type PaymentNotice } from './notices';

/** The payment that the order expects. */
export interface ExpectedPayment {
  readonly status: OrderStatus;
  readonly totalFen: Fen;
  readonly currency: string;
  readonly appId: string;
  readonly merchantId: string;
  /** The transaction that paid the order, once there is one. */
  readonly appliedTransactionId: string | null;
}

export interface Mismatch {
  readonly field: 'amount' | 'currency' | 'app_id' | 'merchant_id';
  readonly expected: string;
  /** null when WeChat left the field out. */
  readonly seen: string | null;
}

/** The transaction's row gets this status when the notice is the first of its transaction. */
export type TransactionStatus = 'applied' | 'rejected' | 'surplus';

export type PaymentMatch =
  /** The trade state carries no money (NOTPAY, CLOSED, …). */
  | { readonly kind: 'no_money' }
  /** The same transaction has paid the order before. */
  | { readonly kind: 'already_applied' }
  | UnclearPayment
  | FittingPayment
  | UnfitPayment;

/**
 * A report that can't be booked as it is: WeChat has to say it again, in the response to a query.
 * Money without its transaction is never booked, because the same money comes once more with it.
 */
export interface UnclearPayment {
  readonly kind: 'unclear';
  readonly lacks: 'transaction' | 'state';
}

/** The order's money: the order becomes `paid`, or `paid_late` when it was closed. */
export interface FittingPayment {
  readonly kind: 'fits';
  readonly to: 'paid' | 'paid_late';
  /**
   * Why the money needs attention all the same: WeChat already reports a refund of it, or it came
   * after the close. null when it needs none.
   */
  readonly attention: 'reconciliation' | 'late_payment' | null;
}

/** Money that is recorded without a change of the order. */
export interface UnfitPayment {
  readonly kind: 'unfit';
  readonly transactionStatus: Exclude<TransactionStatus, 'applied'>;
  readonly reason: InterventionReason;
  readonly mismatches: readonly Mismatch[];
}

/**
 * Compares a reported payment with its order. Pure, so that callbacks and queries mean the same.
 * @param order null when the number is not one of our orders
 */
export function matchPayment(order: ExpectedPayment | null, notice: PaymentNotice): PaymentMatch {
  if (notice.tradeState !== null && !carriesMoney(notice.tradeState)) return { kind: 'no_money' };
  if (order === null) return rejected('unknown_order', []);
  if (notice.tradeState === null) return { kind: 'unclear', lacks: 'state' };
  if (notice.transactionId === null) return { kind: 'unclear', lacks: 'transaction' };
  const mismatches = findMismatches(order, notice);
  if (isForeignPayment(order, notice)) return rejected('identity_mismatch', mismatches);
  const { appliedTransactionId } = order;
  if (appliedTransactionId !== null && appliedTransactionId !== notice.transactionId) {
    return {
      kind: 'unfit',
      transactionStatus: 'surplus',
      reason: 'surplus_payment',
      mismatches,
    };
  }
  if (mismatches.length > 0) return rejected('amount_mismatch', mismatches);
  if (appliedTransactionId !== null) return { kind: 'already_applied' };
  return matchStatus(order.status, notice);
}

/** True when the report names another appid or merchant number than the order, or none. */
export function isForeignPayment(
  order: Pick<ExpectedPayment, 'appId' | 'merchantId'>,
  notice: Pick<PaymentNotice, 'appId' | 'merchantId'>,
): boolean {
  return order.appId !== notice.appId || order.merchantId !== notice.merchantId;
}

/** The money is right, and no other transaction has paid: the order's status decides. */
function matchStatus(status: OrderStatus, notice: PaymentNotice): PaymentMatch {
  const isRefundReported = notice.tradeState === 'REFUND';
  if (canBePaid(status)) {
    return { kind: 'fits', to: 'paid', attention: isRefundReported ? 'reconciliation' : null };
  }
  // The order counts as paid, yet it has no applied transaction: only a person can tell why.
  if (status !== 'closed') return rejected('reconciliation', []);
  const attention = isRefundReported ? 'reconciliation' : 'late_payment';
  return { kind: 'fits', to: 'paid_late', attention };
}

function rejected(reason: InterventionReason, mismatches: readonly Mismatch[]): UnfitPayment {
  return { kind: 'unfit', transactionStatus: 'rejected', reason, mismatches };
}

function findMismatches(order: ExpectedPayment, notice: PaymentNotice): Mismatch[] {
  const pairs = [
    ['merchant_id', order.merchantId, notice.merchantId],
    ['app_id', order.appId, notice.appId],
    ['currency', order.currency, notice.currency],
    ['amount', String(order.totalFen), notice.totalFen === null ? null : String(notice.totalFen)],
  ] as const;
  return pairs
    .filter(([, expected, seen]) => expected !== seen)
    .map(([field, expected, seen]) => ({ field, expected, seen }));
}
