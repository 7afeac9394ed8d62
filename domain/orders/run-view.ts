// The types of an order's run: the view it decides on, and the values that its decisions exchange.
// Sandbox: deterministic only.
import type { Fen } from '../money';
import type { OrderStatus } from './order-state';

/**
 * Everything an order's run decides on: ids, amounts and states, never personal data. The database
 * reads it when a run starts and after each step, so a run can be started again at any time (P5).
 * The names of its properties are part of every recorded history: never rename one.
 */
export interface RunView {
  readonly status: OrderStatus;
  readonly channel: string;
  readonly totalFen: Fen;
  /** Completed prepay rounds. */
  readonly prepayRounds: number;
  /** WeChat refused the prepay for good, or until a person acts. */
  readonly refused: boolean;
  readonly closeRequested: boolean;
  /** WeChat does not close the order until a person acts. */
  readonly closeFailed: boolean;
  /** Unix time in ms. */
  readonly expiresAtMs: number;
  /**
   * Inbox rows without a verdict that wait for no query, and resolutions that are not carried out
   * yet.
   */
  readonly openNotices: number;
  /** Notices that wait for a query of WeChat. Missing in histories of versions before 0.4.0. */
  readonly noticesToQuery?: number;
  /** Effects that can run now; held ones are not counted. */
  readonly effectsDue: number;
  /** Webhooks and messages that their receiver has not accepted yet. */
  readonly deliveriesDue: number;
  /** Open interventions. */
  readonly openInterventions: number;
  /** The reason of the oldest open intervention; null when none is open. */
  readonly attention: string | null;
  /** Missing in histories of versions before 0.3.0. */
  readonly attentionSubject?: string | null;
  // The three below are missing in histories of 0.1.0.
  readonly attentionId?: string | null;
  /** No prepay is sent until a person acts. */
  readonly prepayFailed?: boolean;
  /** How often a person resolved a refusal of WeChat with `retry`. */
  readonly retries?: number;
  /** How many interventions `wechat_failed` have ended. Missing in histories before 0.4.0. */
  readonly wechatFailuresEnded?: number;
  /** True when the row has a `due_at`: something must happen by that time. */
  readonly due: boolean;
}

/** Why an order is closed. */
export type CloseCause = 'close_requested' | 'expired' | 'closed_at_wechat' | 'prepay_refused';

/** The reply to a caller who waits for a prepay round. */
export type PrepayReply = OrderStatus | 'refused' | 'closing' | 'unknown_order' | 'unsettled';

/** The result of the activity that queries WeChat for a payment. */
export type QueryFinding =
  /** WeChat reported a payment; it waits in the inbox. */
  | 'found'
  /** The order's payment window is over. */
  | 'expired'
  /** WeChat says that nobody can pay the order any more. */
  | 'closed'
  /** The row says that the order can't be paid any more. */
  | 'gone'
  /** A person is needed. */
  | 'attention';
