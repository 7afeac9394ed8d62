import type { InterventionReason } from '../interventions/reasons';
import { canBePaid, type OrderStatus } from '../orders/order-state';
import type { PaymentNotice } from './notices';

/** What the order expects of a payment. */
export interface ExpectedPayment {
  readonly status: OrderStatus;
  readonly totalFen: number;
  readonly currency: string;
  readonly appId: string;
  readonly merchantId: string;
  /** The transaction that paid the order, once there is one. */
  readonly appliedTransactionId: string | null;
}

export interface Mismatch {
  readonly field: 'amount' | 'currency' | 'app_id' | 'merchant_id';
  readonly expected: string;
  readonly seen: string | null;
}

export type PaymentDecision =
  /** Nothing was paid (NOTPAY, CLOSED, …): the notice changes nothing. */
  | { readonly kind: 'ignored' }
  /** This very transaction has paid the order before. */
  | { readonly kind: 'already_applied' }
  /** The order's money: it moves to `paid`, or to `paid_late` when it was closed. */
  | {
      readonly kind: 'applied';
      readonly to: 'paid' | 'paid_late';
      /** Set when WeChat already speaks of a refund: the effects wait for a person. */
      readonly attention: 'reconciliation' | 'late_payment' | null;
    }
  /** Money that is kept in the books without touching the order. */
  | {
      readonly kind: 'conflict';
      readonly transactionStatus: 'rejected' | 'surplus';
      readonly reason: InterventionReason;
      readonly mismatches: readonly Mismatch[];
    };

/**
 * Decides what a payment means for an order; pure, so that callback and query are judged alike.
 * `order` null means that the number is not ours.
 */
export function decidePayment(
  order: ExpectedPayment | null,
  notice: PaymentNotice,
): PaymentDecision {
  if (notice.tradeState !== 'SUCCESS' && notice.tradeState !== 'REFUND') return { kind: 'ignored' };
  if (order === null) return rejected('unknown_order', []);
  const mismatches = findMismatches(order, notice);
  const ofIdentity = mismatches.some((m) => m.field === 'app_id' || m.field === 'merchant_id');
  if (ofIdentity) return rejected('identity_mismatch', mismatches);
  if (order.appliedTransactionId !== null) {
    if (order.appliedTransactionId === notice.transactionId) {
      return mismatches.length === 0
        ? { kind: 'already_applied' }
        : rejected('amount_mismatch', mismatches);
    }
    return {
      kind: 'conflict',
      transactionStatus: 'surplus',
      reason: 'surplus_payment',
      mismatches,
    };
  }
  if (mismatches.length > 0) return rejected('amount_mismatch', mismatches);
  const refundSpokenOf = notice.tradeState === 'REFUND';
  if (canBePaid(order.status)) {
    return { kind: 'applied', to: 'paid', attention: refundSpokenOf ? 'reconciliation' : null };
  }
  // Paid, it seems, yet no transaction of it is known: nothing here may decide whose money that was.
  if (order.status !== 'closed') return rejected('reconciliation', []);
  return {
    kind: 'applied',
    to: 'paid_late',
    attention: refundSpokenOf ? 'reconciliation' : 'late_payment',
  };
}

function rejected(
  reason: InterventionReason,
  mismatches: readonly Mismatch[],
): PaymentDecision & { kind: 'conflict' } {
  return { kind: 'conflict', transactionStatus: 'rejected', reason, mismatches };
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
