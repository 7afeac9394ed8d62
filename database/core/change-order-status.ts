// Changes an order's status: the state table decides, and the history gets its row.
import { transition, type OrderEvent, type OrderStatus } from '../../domain/orders/order-state';
import type { Tx } from './context';
import type { LockedOrder } from './lock-order';

/** The result of an event for an order's status. */
export type StatusChange =
  | { readonly kind: 'moved'; readonly to: OrderStatus }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused' };

/**
 * Changes an order's status; nothing else may. The state table decides whether the status moves.
 * The update is conditional on the status it was decided for, and the history row is appended in
 * the same transaction (P4, S6).
 * @returns `duplicate` when the order has had the event before, `refused` when its status doesn't
 * allow it
 * @throws when the status changed under the lock: that is a fault of ours, and the transaction is
 * rolled back
 */
export async function changeStatus(
  tx: Tx,
  { outTradeNo, status }: LockedOrder,
  change: {
    readonly event: OrderEvent;
    /** For the order's history. */
    readonly cause: string;
    readonly now: Date;
    /** When the sweep looks at the order; null when nothing is due. */
    readonly dueAt: Date | null;
  },
): Promise<StatusChange> {
  const { event, cause, now, dueAt } = change;
  const step = transition(status, event);
  if (step.kind !== 'moved') return { kind: step.kind };
  const paid = step.to === 'paid' || step.to === 'paid_late';
  const moved = await tx.$executeRaw`
    WITH moved AS (
      UPDATE orders SET status = ${step.to}, due_at = ${dueAt},
        paid_at = CASE WHEN ${paid} THEN ${now} ELSE paid_at END,
        fulfilled_at = CASE WHEN ${step.to === 'fulfilled'} THEN ${now} ELSE fulfilled_at END,
        closed_at = CASE WHEN ${step.to === 'closed'} THEN ${now} ELSE closed_at END
      WHERE out_trade_no = ${outTradeNo} AND status = ${status} RETURNING out_trade_no
    )
    INSERT INTO order_status_history (out_trade_no, from_status, to_status, cause, at)
    SELECT out_trade_no, ${status}, ${step.to}, ${cause}, ${now} FROM moved`;
  if (moved !== 1) throw new Error(`Order ${outTradeNo} left ${status} under its lock`);
  return { kind: 'moved', to: step.to };
}
