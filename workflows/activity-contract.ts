// Sandbox: types only. The workflow owns what it asks of activities (S3).
import type { CloseCause, RunView } from '../domain/orders/run-view';

/** Database steps: short, idempotent; local first, regular when they don't get through. */
export interface OrderActivities {
  /** null when the number is not one of our orders. */
  loadRun(outTradeNo: string): Promise<RunView | null>;
  /** Applies what waits for the run: inbox rows without a verdict, then the answers of persons. */
  applyNotices(outTradeNo: string): Promise<AppliedNotices>;
  runEffects(outTradeNo: string): Promise<RunView | null>;
  /** Begins a close; one that WeChat can't know of is carried out at once. */
  beginClose(outTradeNo: string, cause: CloseCause): Promise<RunView | null>;
  /** Notes that nothing is due any more. */
  rest(outTradeNo: string): Promise<RunView | null>;
  /** Commits what somebody proposed by hand in Web UI; what makes no sense is only logged. */
  propose(outTradeNo: string, proposal: Proposal): Promise<void>;
  readRefund(outRefundNo: string): Promise<RefundStanding>;
}

/** An answer to a question, as a signal by hand gives it. */
export interface Proposal {
  readonly interventionId: string;
  readonly action: string;
  readonly note: string;
}

export interface AppliedNotices {
  readonly view: RunView | null;
  /** More rows wait than one transaction takes. */
  readonly more: boolean;
}

/** A regular activity that tries the failed effects until none can be tried any more. */
export interface EffectActivities {
  finishEffects(outTradeNo: string): Promise<RunView | null>;
}

export interface WechatActivities {
  /** Ends when the round is settled one way or the other. */
  prepay(outTradeNo: string, round: number): Promise<RunView | null>;
  /** Ends when the order is closed at WeChat, was paid meanwhile, or a person is needed. */
  closeAtWechat(outTradeNo: string, cause: CloseCause): Promise<RunView | null>;
}

export type RefundStanding =
  'succeeded' | 'closed' | 'under_way' | 'person_needed' | 'unknown_refund';

export interface MoneyActivities {
  /**
   * Sends a refund and asks until WeChat has decided: one activity, whose retries add no events (P9).
   * Ends when it is settled or a person is needed.
   */
  settleRefund(outRefundNo: string): Promise<RefundStanding>;
}

export type SharingStanding =
  'finished' | 'closed' | 'under_way' | 'person_needed' | 'unknown_sharing';

export interface SharingActivities {
  /**
   * Makes the receivers known, sends a sharing (or an unfreeze) and asks until WeChat has decided: one
   * activity, whose retries add no events (P9). Ends when it is settled or a person is needed.
   */
  settleSharing(outOrderNo: string): Promise<SharingStanding>;
  /** Asks WeChat once, at once, about what it works on; never sends anything. */
  lookAtSharing(outOrderNo: string): Promise<SharingStanding>;
}

export type QueryFinding =
  /** A payment was found; it waits in the inbox. */
  | 'found'
  /** The order's time is over. */
  | 'expired'
  /** WeChat says nobody can pay it any more. */
  | 'closed'
  /** The row can't be paid any more. */
  | 'gone'
  /** A person is needed. */
  | 'attention';

export interface QueryActivities {
  /** All queries of an order are this one activity: its retries add no events (P9). */
  queryPayment(outTradeNo: string): Promise<QueryFinding>;
}

export interface OutboundActivities {
  /** Sends all that is due; ends when nothing is left to tell. */
  deliver(outTradeNo: string): Promise<RunView | null>;
}
