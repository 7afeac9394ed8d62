// Decides when a caller who waits for an order's run gets a reply, and which one.
// Sandbox: deterministic only.
import { canBePaid } from './order-state';
import type { PrepayReply, RunView } from './run-view';

/**
 * True when interventions have ended since the view was read: a refusal in it may be over.
 * @param view null when the number is not one of our orders
 * @param ended the interventions `wechat_failed` that the caller has seen ended
 */
export function isOlder(view: RunView | null, ended: number): boolean {
  return view !== null && (view.wechatFailuresEnded ?? 0) < ended;
}

/**
 * The reply to a caller who waits for prepay round `round`. It is given as soon as anything decides
 * the order (P6).
 * @param view null when the number is not one of our orders
 * @param ended as for {@link isOlder}
 * @returns undefined while nothing is decided yet
 */
export function prepayReply(
  view: RunView | null,
  round: number,
  ended = 0,
): PrepayReply | undefined {
  if (view === null) return 'unknown_order';
  if (!canBePaid(view.status)) return view.status;
  if (view.prepayRounds >= round) return view.status;
  if (isOlder(view, ended)) return undefined;
  if (view.refused) return 'refused';
  if (view.prepayFailed === true) return 'unsettled';
  return view.closeRequested ? 'closing' : undefined;
}

/**
 * True when a caller who waits for a close can get the reply: nobody can pay any more, or WeChat
 * does not close the order until a person acts.
 * @param view null when the number is not one of our orders
 * @param ended as for {@link isOlder}
 */
export function isCloseSettled(view: RunView | null, ended = 0): boolean {
  if (view === null || !canBePaid(view.status)) return true;
  return view.closeFailed && !isOlder(view, ended);
}
