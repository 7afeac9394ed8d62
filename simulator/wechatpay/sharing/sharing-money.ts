// Computes the places of a payment's money from its sharings, returns and refunds.
import type { PaymentBalance, Sharable } from '../payments/balance';
import type { RefundStore } from '../refunds/refund-store';
import type { SharingStore } from './sharing-store';

/** Money that is not shared within this time unfreezes by itself. */
export const SHAREABLE_MS = 30 * 24 * 3_600_000;

const sum = (amounts: readonly number[]): number => amounts.reduce((all, one) => all + one, 0);

/** A refund takes frozen money first, and after that the merchant's own. */
export function createBalances(deps: {
  readonly refunds: RefundStore;
  readonly store: SharingStore;
  readonly now: () => number;
}): (paid: Sharable) => PaymentBalance {
  return ({ order, payment }) => {
    const sharings = deps.store.sharings.of(payment);
    const shared = sharings.filter(({ kind }) => kind === 'share').flatMap(({ parts }) => parts);
    const returns = deps.store.returns.of(payment);
    const refunds = deps.refunds.of(payment);
    const totalFen = payment.totalFen;
    const sharedFen = sum(
      shared.filter(({ result }) => result !== 'CLOSED').map(({ amountFen }) => amountFen),
    );
    const returnedFen = sum(
      returns.filter(({ result }) => result === 'SUCCESS').map(({ amountFen }) => amountFen),
    );
    const refundedFen = sum(
      refunds.filter(({ status }) => status !== 'CLOSED').map(({ refundFen }) => refundFen),
    );
    const isOver =
      !order.profitSharing ||
      sharings.some(({ unfreezes }) => unfreezes) ||
      deps.now() - payment.successTimeMs > SHAREABLE_MS;
    const frozenFen = isOver ? 0 : Math.max(0, totalFen - sharedFen - refundedFen);
    const unfrozenFen = totalFen - sharedFen + returnedFen - refundedFen - frozenFen;
    return { totalFen, refundedFen, sharedFen, returnedFen, frozenFen, unfrozenFen };
  };
}
