// The activities that the workflows of orders, refunds and profit sharings need; types only (S3).
// Sandbox: deterministic only.
import type { BillDate } from '../domain/reconciliation/bill-days';
import type { CloseCause, QueryFinding, RunView } from '../domain/orders/run-view';

/**
 * Database steps: short and idempotent. They run as local activities first, and as regular ones
 * when that fails.
 */
export interface OrderActivities {
  /** @returns null when the number is not one of our orders */
  loadRun(outTradeNo: string): Promise<RunView | null>;
  /** Applies the inbox rows that have no verdict yet, then carries out the approved resolutions. */
  applyNotices(outTradeNo: string): Promise<AppliedNotices>;
  runEffects(outTradeNo: string): Promise<RunView | null>;
  /** Begins a close. An order that WeChat can't know is closed at once. */
  beginClose(outTradeNo: string, cause: CloseCause): Promise<RunView | null>;
  /** Clears the row's `due_at`: nothing has to happen by some time any more. */
  rest(outTradeNo: string): Promise<RunView | null>;
  /** Commits the resolution that a person proposed in Web UI. An invalid one is only logged. */
  propose(outTradeNo: string, proposal: Proposal): Promise<void>;
  readRefund(outRefundNo: string): Promise<RefundStanding>;
}

/** A resolution that a person proposes with a signal by hand. */
export interface Proposal {
  readonly interventionId: string;
  readonly action: string;
  readonly note: string;
}

export interface AppliedNotices {
  readonly view: RunView | null;
  /** True when more rows wait than one transaction takes. */
  readonly more: boolean;
}

/** A regular activity that tries the failed effects until each is done or its budget is spent. */
export interface EffectActivities {
  finishEffects(outTradeNo: string): Promise<RunView | null>;
}

export interface WechatActivities {
  /** Ends when the round is settled, as accepted or refused. */
  prepay(outTradeNo: string, round: number): Promise<RunView | null>;
  /** Ends when the order is closed at WeChat, was paid meanwhile, or a person is needed. */
  closeAtWechat(outTradeNo: string, cause: CloseCause): Promise<RunView | null>;
}

export type RefundStanding =
  'succeeded' | 'closed' | 'under_way' | 'person_needed' | 'unknown_refund';

export interface MoneyActivities {
  /**
   * Sends a refund and queries it until WeChat has decided: one activity, whose retries add no
   * events (P9). It ends when the refund is settled or a person is needed.
   */
  settleRefund(outRefundNo: string): Promise<RefundStanding>;
}

export type SharingStanding =
  'finished' | 'closed' | 'under_way' | 'person_needed' | 'unknown_sharing';

export interface SharingActivities {
  /**
   * Adds the receivers at WeChat, sends the sharing (or the unfreeze) and queries it until WeChat
   * has decided: one activity, whose retries add no events (P9). It ends when the sharing is
   * settled or a person is needed.
   */
  settleSharing(outOrderNo: string): Promise<SharingStanding>;
  /** Queries a sharing that WeChat works on, once and at once. It never sends the sharing. */
  lookAtSharing(outOrderNo: string): Promise<SharingStanding>;
}

export interface QueryActivities {
  /** Makes all queries of an order: one activity, whose retries add no events (P9). */
  queryPayment(outTradeNo: string): Promise<QueryFinding>;
  /** Queries WeChat once, in any status of the order, for notices that can't be booked alone. */
  queryForNotices(outTradeNo: string): Promise<void>;
}

export interface OutboundActivities {
  /** Sends the deliveries as they become due; ends when none is left. */
  deliver(outTradeNo: string): Promise<RunView | null>;
}

/** Database steps of a day. */
export interface ReconciliationActivities {
  /** Writes the rows of the days without one, and starts the runs of all that are open. */
  startReconciliations(): Promise<void>;
  /** Compares the staged bill with our rows. @returns false when the day has ended meanwhile */
  compareBill(billDate: BillDate): Promise<boolean>;
  /** Waits until the runs have applied the reports that the repair stored, for some minutes. */
  awaitRepairs(billDate: BillDate): Promise<void>;
  /** Opens and ends the interventions about the differences. */
  settleDifferences(billDate: BillDate): Promise<void>;
  /** Finishes the day, and writes its webhook. */
  finishReconciliation(billDate: BillDate): Promise<void>;
}

/**
 * - `staged`: the lines of the bill are there, or the day had no trades;
 * - `failed`: no bill can be had, and an intervention is open;
 * - `gone`: the day has nothing left to do.
 */
export type FetchedBill = 'staged' | 'failed' | 'gone';

/** The next differences to repair. */
export interface RepairedBatch {
  /** Id of the last difference of the batch; null when no more are left. */
  readonly last: string | null;
  /** Reports that were stored for their runs. */
  readonly stored: number;
}

/** Steps that call WeChat. */
export interface BillActivities {
  fetchTradeBill(billDate: BillDate): Promise<FetchedBill>;
  /** Keeps the sums of the fund-flow bill, where WeChat has one now. */
  fetchFundFlowBill(billDate: BillDate): Promise<void>;
  /** @param after id of the last difference of the batch before; null for the first */
  repairDifferences(billDate: BillDate, after: string | null): Promise<RepairedBatch>;
}

/** Sends the webhooks with the results of the days. */
export interface ReconciliationOutboundActivities {
  deliverReconciliations(): Promise<void>;
}
