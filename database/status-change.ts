import { transition, type OrderEvent, type OrderStatus } from '../domain/order-state';
import type { Transaction } from './context';

/** The time column a status sets, besides the status itself. */
const TIME_COLUMN = {
  paid: 'paidAt',
  paid_late: 'paidAt',
  fulfilled: 'fulfilledAt',
  closed: 'closedAt',
} as const satisfies Partial<Record<OrderStatus, string>>;

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
  tx: Transaction,
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
  const column = step.to in TIME_COLUMN ? TIME_COLUMN[step.to as keyof typeof TIME_COLUMN] : null;
  const { count } = await tx.order.updateMany({
    where: { outTradeNo, status },
    data: { status: step.to, dueAt, ...(column === null ? {} : { [column]: now }) },
  });
  if (count !== 1) throw new Error(`Order ${outTradeNo} left ${status} under its lock`);
  await tx.orderStatusChange.createMany({
    data: [{ outTradeNo, from: status, to: step.to, cause, at: now }],
  });
  return { kind: 'moved', to: step.to };
}

/** The columns that steps decide on. */
export interface LockedOrder {
  readonly out_trade_no: string;
  readonly status: OrderStatus;
  readonly channel: string;
  readonly user_id: string;
  readonly shop_order_no: string | null;
  readonly total_fen: number;
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
}

/** Locks the order's row until the transaction ends; null when there is none. */
export async function lockOrder(tx: Transaction, outTradeNo: string): Promise<LockedOrder | null> {
  const [row] = await tx.$queryRaw<LockedOrder[]>`
    SELECT out_trade_no, status, channel, user_id, shop_order_no, total_fen, refunded_fen, currency,
      metadata, app_id, merchant_id, prepay_rounds, time_expire, expires_at, close_requested_at,
      refusal_code, paid_at,
      (SELECT transaction_id FROM payment_transactions t
        WHERE t.order_no = orders.out_trade_no AND t.status = 'applied') AS applied_transaction_id
    FROM orders WHERE out_trade_no = ${outTradeNo} FOR NO KEY UPDATE`;
  return row ?? null;
}
