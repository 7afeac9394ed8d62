import { canBePaid, type OrderStatus } from './order-state';

/**
 * All that an order's run decides on: ids, amounts and states, never personal data. Read from the rows
 * whenever a run starts and after each step, so a run can always be started again (P5).
 */
export interface RunView {
  readonly status: OrderStatus;
  readonly channel: string;
  readonly totalFen: number;
  /** Completed prepay rounds. */
  readonly prepayRounds: number;
  /** WeChat refused the prepay for good, or until a person acts. */
  readonly refused: boolean;
  readonly closeRequested: boolean;
  /** WeChat will not close it until a person acts. */
  readonly closeFailed: boolean;
  /** Unix ms. */
  readonly expiresAtMs: number;
  /** What waits for the run: inbox rows without a verdict, and answers not yet carried out. */
  readonly openNotices: number;
  /** Effects to do now; held ones don't count. */
  readonly effectsDue: number;
  /** Webhooks and messages not yet taken. */
  readonly deliveriesDue: number;
  /** Open interventions, and the reason of the oldest. */
  readonly openInterventions: number;
  readonly attention: string | null;
  /** Missing in what runs before 0.3.0 have heard. */
  readonly attentionSubject?: string | null;
  // The three below are missing in what runs of 0.1.0 have heard.
  readonly attentionId?: string | null;
  /** No prepay goes out until a person acts. */
  readonly prepayFailed?: boolean;
  /** How often a person said "again" to what WeChat refused. */
  readonly retries?: number;
  /** The row says that something must happen by some time. */
  readonly due: boolean;
}

export type CloseCause = 'close_requested' | 'expired' | 'closed_at_wechat' | 'prepay_refused';

/** What a prepay update answers with; `undefined` while it can't be said. */
export type PrepayReply = OrderStatus | 'refused' | 'closing' | 'unknown_order' | 'unsettled';

/** The answer to a caller who waits for prepay round `round`: as soon as anything decides the order. */
export function prepayReply(view: RunView | null, round: number): PrepayReply | undefined {
  if (view === null) return 'unknown_order';
  if (!canBePaid(view.status)) return view.status;
  if (view.prepayRounds >= round) return view.status;
  if (view.refused) return 'refused';
  if (view.prepayFailed === true) return 'unsettled';
  return view.closeRequested ? 'closing' : undefined;
}

/** True when a close can be answered: nobody can pay any more, or WeChat will not close. */
export function isCloseSettled(view: RunView | null): boolean {
  return view === null || !canBePaid(view.status) || view.closeFailed;
}

/** What a run does next with an order that can still be paid. */
export function wantsPrepay(view: RunView, askedRound: number, nowMs: number): number | null {
  if (view.refused || view.prepayFailed === true) return null;
  if (view.closeRequested || view.expiresAtMs <= nowMs) return null;
  const round = Math.max(1, askedRound);
  return view.prepayRounds < round ? round : null;
}

/** True when a run has nothing to do by itself; a person may still be needed. */
export function isIdle(view: RunView): boolean {
  return (
    !canBePaid(view.status) &&
    view.openNotices === 0 &&
    view.effectsDue === 0 &&
    view.deliveriesDue === 0
  );
}

/** True when a run has nothing to do and nobody to wait for. */
export function isAtRest(view: RunView): boolean {
  return isIdle(view) && view.openInterventions === 0;
}
