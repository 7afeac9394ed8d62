// The places of a payment's money: frozen, unfrozen, shared, returned, refunded.
import type { Payment, SimulatedOrder } from './transactions';

/** A payment and the order it is for. */
export interface Sharable {
  readonly order: SimulatedOrder;
  readonly payment: Payment;
}

/** Returns the places of this payment's money now. */
export type Balances = (paid: Sharable) => PaymentBalance;

/**
 * The places of a payment's money. `totalFen` is always `sharedFen − returnedFen + refundedFen +
 * frozenFen + unfrozenFen`.
 */
export interface PaymentBalance {
  readonly totalFen: number;
  /** Refunded to the payer, refunds under way included. */
  readonly refundedFen: number;
  /** Shared with receivers, shares under way included. */
  readonly sharedFen: number;
  /** Taken back from receivers. */
  readonly returnedFen: number;
  /** Can still be shared. */
  readonly frozenFen: number;
  /** The merchant's own: unfrozen, or taken back. */
  readonly unfrozenFen: number;
}
