import type { Fen } from '../../domain/money';
import { transition, type OrderEvent, type OrderStatus } from '../../domain/orders/order-state';
import type { Tx } from './context';

export type StatusChange =
  | { readonly kind: 'moved'; readonly to: OrderStatus }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused' };

/**
 * The one way an order's status changes: the state table decides, the update is conditional on the
 * status it was decided for, and the history row is appended in the same transaction (P4, S6).
 * The caller has locked the row; a count of 0 is a fault of ours and undoes the transaction.
 */
export async function changeStatus(
  tx: Tx,
  change: {
    outTradeNo: string;
    status: OrderStatus;
    event: OrderEvent;
    cause: string;
    now: Date;
    dueAt: Date | null;
  },
): Promise<StatusChange> {
  const { outTradeNo, status, event, cause, now, dueAt } = change;
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

/** The columns that steps decide on. */
export interface LockedOrder {
  readonly out_trade_no: string;
  readonly status: OrderStatus;
  readonly channel: string;
  readonly user_id: string;
  readonly shop_order_no: string | null;
  readonly profit_sharing: boolean;
  readonly total_fen: Fen;
  readonly refunded_fen: number;
  readonly currency: string;
  readonly metadata: unknown;
  readonly app_id: string;
  readonly merchant_id: string;
  readonly prepay_rounds: number;
  readonly time_expire: string;
  readonly expires_at: Date;
  readonly close_requested_at: Date | null;
  readonly refusal_code: string | null;
  readonly paid_at: Date | null;
  readonly applied_transaction_id: string | null;
  /** Whether a question for a person is open, and one that holds the effects. */
  readonly in_question: boolean;
  readonly effects_held: boolean;
}

type OrderFacts = Pick<LockedOrder, 'applied_transaction_id' | 'in_question' | 'effects_held'>;

/**
 * Locks the order's row until the transaction ends; null when there is none. What hangs on the order is
 * read by a second statement: one that waited for the lock still sees everything but the locked row as
 * it was before (PostgreSQL, READ COMMITTED).
 */
export async function lockOrder(tx: Tx, outTradeNo: string): Promise<LockedOrder | null> {
  const [row] = await tx.$queryRaw<Omit<LockedOrder, keyof OrderFacts>[]>`
    SELECT out_trade_no, status, channel, user_id, shop_order_no, profit_sharing, total_fen, refunded_fen,
      currency, metadata, app_id, merchant_id, prepay_rounds, time_expire, expires_at, close_requested_at,
      refusal_code, paid_at
    FROM orders WHERE out_trade_no = ${outTradeNo} FOR NO KEY UPDATE`;
  if (!row) {
    // A number that is not ours has no row that keeps its writers in one order.
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${outTradeNo}, 0))`;
    return null;
  }
  const [facts] = await tx.$queryRaw<OrderFacts[]>`
    SELECT (SELECT transaction_id FROM payment_transactions
        WHERE order_no = ${outTradeNo} AND status = 'applied') AS applied_transaction_id,
      count(*) > 0 AS in_question,
      coalesce(bool_or(reason = 'reconciliation'), false) AS effects_held
    FROM interventions WHERE order_no = ${outTradeNo} AND status = 'open'`;
  if (!facts) throw new Error('The facts of an order are always one row');
  return { ...row, ...facts };
}
