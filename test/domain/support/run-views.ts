// Builds run views for tests.
import { fen } from '../../../domain/money';
import type { RunView } from '../../../domain/orders/run-view';

/** A new order's view, unpaid, with nothing to do but its prepay; `change` replaces properties. */
export function viewOf(change: Partial<RunView> = {}): RunView {
  return {
    status: 'created',
    channel: 'h5',
    totalFen: fen(1230),
    prepayRounds: 0,
    refused: false,
    closeRequested: false,
    closeFailed: false,
    expiresAtMs: 1_000,
    openNotices: 0,
    effectsDue: 0,
    deliveriesDue: 0,
    openInterventions: 0,
    attention: null,
    due: false,
    ...change,
  };
}

export const PAYABLE = ['created', 'awaiting_payment'] as const;
export const NOT_PAYABLE = ['paid', 'fulfilled', 'closed', 'paid_late', 'refunded'] as const;
