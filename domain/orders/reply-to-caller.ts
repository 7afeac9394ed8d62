// Decides when a caller who waits for an order's run gets a reply, and which one.
// Sandbox: deterministic only.
import { canBePaid } from './order-state';
import type { PrepayReply, RunView } from './run-view';

/**
 * The reply to a caller who waits for prepay round `round`. It is given as soon as anything decides
 * the order (P6).
 * @param view null when the number is not one of our orders
 * @returns undefined while nothing is decided yet
 */
export function prepayReply(view: RunView | null, round: number): PrepayReply | undefined {
  if (view === null) return 'unknown_order';
  if (!canBePaid(view.status)) return view.status;
  if (view.prepayRounds >= round) return view.status;
  if (view.refused) return 'refused';
  if (view.prepayFailed === true) return 'unsettled';
  return view.closeRequested ? 'closing' : undefined;
}

/**
 * True when a caller who waits for a close can get the reply: nobody can pay any more, or WeChat
 * does not close the order until a person acts.
 * @param view null when the number is not one of our orders
 */
export function isCloseSettled(view: RunView | null): boolean {
  return view === null || !canBePaid(view.status) || view.closeFailed;
}
