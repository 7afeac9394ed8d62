import type { Payment, SimulatedOrder } from './transactions';

/** A payment and the order it is for. */
export interface Sharable {
  readonly order: SimulatedOrder;
  readonly payment: Payment;
}

/** Where the money of this payment is now. */
export type Balances = (paid: Sharable) => PaymentBalance;

/**
 * Where a payment's money is. `totalFen` is always
 * `sharedFen − returnedFen + refundedFen + frozenFen + unfrozenFen`.
 */
export interface PaymentBalance {
  readonly totalFen: number;
  /** Asked back by the user, refunds under way included. */
  readonly refundedFen: number;
  /** Given to receivers, or on the way to them. */
  readonly sharedFen: number;
  /** Taken back from receivers. */
  readonly returnedFen: number;
  /** Can still be shared. */
  readonly frozenFen: number;
  /** The merchant's own: unfrozen, or taken back. */
  readonly unfrozenFen: number;
}
