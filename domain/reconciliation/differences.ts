// The types of differences between WeChat's bill and our rows, and the way each one is settled.
// Sandbox: deterministic only.

/**
 * The way a difference is settled:
 * - `query_payment`, `query_refund`: WeChat is queried, and its response is booked like a callback;
 * - `decide`: a person decides, in an intervention about the payment or refund;
 * - `bill`: the bill itself is wrong, in one intervention for all such differences of a day;
 * - `count`: it is counted, and has no row.
 */
export type Settlement = 'query_payment' | 'query_refund' | 'decide' | 'bill' | 'count';

/** The types, with the way each is settled. The names are public. */
export const DIFFERENCE_TYPES = {
  /** The bill has a payment of one of our numbers, and we have no such transaction. */
  payment_missing_here: 'query_payment',
  /** WeChat reported a payment to us, and the bill of its day does not have it. */
  payment_missing_there: 'decide',
  payment_amount: 'decide',
  /** The bill says that the payment was taken back, or it is in another currency. */
  payment_status: 'decide',
  refund_missing_here: 'query_refund',
  refund_missing_there: 'decide',
  refund_amount: 'decide',
  refund_status: 'query_refund',
  duplicate_line: 'bill',
  unreadable_line: 'bill',
  summary_mismatch: 'bill',
  /** Orders of another system on the same merchant number. */
  foreign: 'count',
} as const satisfies Record<string, Settlement>;

export type DifferenceType = keyof typeof DIFFERENCE_TYPES;
export const DIFFERENCE_TYPE_NAMES = Object.keys(DIFFERENCE_TYPES) as [
  DifferenceType,
  ...DifferenceType[],
];

/** A type whose differences have rows. */
export type ListedType = Exclude<DifferenceType, 'foreign'>;

/** The types that are settled in this way. */
export function typesSettledBy(settlement: Settlement): DifferenceType[] {
  return DIFFERENCE_TYPE_NAMES.filter((type) => DIFFERENCE_TYPES[type] === settlement);
}

/**
 * - `open`: it is being repaired, or a person has to decide;
 * - `waiting`: near midnight, so that the next day's bill decides;
 * - `repaired`: both sides agree by now;
 * - `dismissed`: a person has explained it.
 */
export const DIFFERENCE_STATUSES = ['open', 'waiting', 'repaired', 'dismissed'] as const;
export type DifferenceStatus = (typeof DIFFERENCE_STATUSES)[number];

export const RECONCILIATION_STATUSES = ['waiting', 'running', 'done', 'failed'] as const;
export type ReconciliationStatus = (typeof RECONCILIATION_STATUSES)[number];

/** One side of a difference as callers see it. Money in fen; null where the side has none. */
export interface DifferenceSide {
  readonly amount_fen: number | null;
  readonly status: string | null;
  /** RFC 3339. */
  readonly at: string | null;
}

/** Our statuses that agree with each 退款状态 of a bill, which is never updated later. */
const AGREEING: Readonly<Record<string, readonly string[]>> = {
  SUCCESS: ['succeeded'],
  // It went on after the bill was made.
  PROCESSING: ['processing', 'abnormal', 'succeeded', 'closed'],
  FAIL: ['closed'],
  CHANGE: ['abnormal', 'processing', 'succeeded'],
};

/** The pairs of 退款状态 and our status that agree, for the statement that compares. */
export const AGREEING_REFUNDS: readonly { readonly theirs: string; readonly ours: string }[] =
  Object.entries(AGREEING).flatMap(([theirs, all]) => all.map((ours) => ({ theirs, ours })));
