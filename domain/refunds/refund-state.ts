// Defines the states of a refund, and how WeChat's reports change them.
// Sandbox: deterministic only.

/**
 * The states of a refund; the table below is the only one that says how they change (S5). A refund
 * holds its amount on its payment in every state but `closed`.
 */
export const REFUND_STATUSES = [
  /** Its amount is held; WeChat may have it or not. */
  'pending',
  /** WeChat has accepted it. */
  'processing',
  /** The money could not reach the payer's account: a person decides where it shall go. */
  'abnormal',
  'succeeded',
  /** WeChat will not carry it out, or never received it. */
  'closed',
] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];

/**
 * Why a refund exists: Oncepay refunds a late or second payment by itself, a person resolved an
 * intervention, the shop requested it, or it was made outside of Oncepay.
 */
export const REFUND_ORIGINS = [
  'late_payment',
  'surplus_payment',
  'resolution',
  'api',
  'external',
] as const;
export type RefundOrigin = (typeof REFUND_ORIGINS)[number];

/** The reports of WeChat about a refund, by response, query or callback; named like the states. */
export type RefundEvent = Exclude<RefundStatus, 'pending'>;

type Step = 'moves' | 'duplicate' | 'refused';

const TRANSITIONS = {
  pending: { processing: 'moves', abnormal: 'moves', succeeded: 'moves', closed: 'moves' },
  processing: { processing: 'duplicate', abnormal: 'moves', succeeded: 'moves', closed: 'moves' },
  abnormal: { processing: 'moves', abnormal: 'duplicate', succeeded: 'moves', closed: 'moves' },
  // A report from before the end may arrive after it.
  succeeded: {
    processing: 'duplicate',
    abnormal: 'duplicate',
    succeeded: 'duplicate',
    closed: 'refused',
  },
  closed: { processing: 'refused', abnormal: 'refused', succeeded: 'refused', closed: 'duplicate' },
} as const satisfies Record<RefundStatus, Record<RefundEvent, Step>>;

export type RefundTransition =
  | { readonly kind: 'moved'; readonly from: RefundStatus; readonly to: RefundStatus }
  | { readonly kind: 'duplicate'; readonly status: RefundStatus }
  | { readonly kind: 'refused'; readonly status: RefundStatus; readonly event: RefundEvent };

/** Says how a report of WeChat changes a refund in `status`. */
export function refundTransition(status: RefundStatus, event: RefundEvent): RefundTransition {
  const step: Step = TRANSITIONS[status][event];
  if (step === 'duplicate') return { kind: 'duplicate', status };
  if (step === 'refused') return { kind: 'refused', status, event };
  return { kind: 'moved', from: status, to: event };
}

/** True when no report changes a refund any more. */
export function isSettled(status: RefundStatus): boolean {
  return status === 'succeeded' || status === 'closed';
}

const WECHAT_STATUSES: ReadonlyMap<string, RefundEvent> = new Map([
  ['SUCCESS', 'succeeded'],
  ['CLOSED', 'closed'],
  ['PROCESSING', 'processing'],
  ['ABNORMAL', 'abnormal'],
]);

/**
 * WeChat's `status` or `refund_status` in our words; null for one that Oncepay doesn't know, and
 * for none.
 */
export function refundEvent(wechatStatus: string | null): RefundEvent | null {
  return wechatStatus === null ? null : (WECHAT_STATUSES.get(wechatStatus) ?? null);
}
