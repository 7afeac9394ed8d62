// Locks a payment's row: its amounts change under this lock alone (P11).
import { Prisma } from '../../generated/prisma/client';
import type { Fen } from '../../domain/money';
import type { OrderNumber } from '../../domain/orders/order-number';
import type { Tx } from './context';

declare const lockProof: unique symbol;

/** A payment as WeChat knows it, locked until the database's transaction ends. Made here alone. */
export interface LockedTransaction {
  readonly [lockProof]: true;
  /** Key of its row. */
  readonly id: string;
  readonly merchantId: string;
  readonly transactionId: string;
  /** null when it was paid for a number that is none of our orders. */
  readonly orderNo: OrderNumber | null;
  readonly status: string;
  /** null when WeChat reported no amount. */
  readonly totalFen: Fen | null;
  /** The fen that refunds hold, or have sent back. */
  readonly heldFen: Fen;
  /** The fen that receivers of sharings hold. */
  readonly sharedFen: Fen;
  readonly currency: string | null;
  /** Where WeChat sends the callbacks of its order; null without an order. */
  readonly notifyUrl: string | null;
}

/** Locks a payment by the key of its row; null when there is none. */
export function lockTransaction(tx: Tx, key: string): Promise<LockedTransaction | null> {
  return lock(tx, Prisma.sql`t.id = ${key}::uuid`);
}

/** Locks the payment that has paid an order; null when none has. */
export function lockAppliedTransaction(
  tx: Tx,
  outTradeNo: string,
): Promise<LockedTransaction | null> {
  return lock(tx, Prisma.sql`t.order_no = ${outTradeNo} AND t.status = 'applied'`);
}

async function lock(tx: Tx, condition: Prisma.Sql): Promise<LockedTransaction | null> {
  const [row] = await tx.$queryRaw<LockedTransaction[]>`
    SELECT t.id::text, t.merchant_id AS "merchantId", t.transaction_id AS "transactionId",
      t.order_no AS "orderNo", t.status, t.total_fen AS "totalFen", t.held_fen AS "heldFen",
      t.shared_fen AS "sharedFen", t.currency,
      (SELECT notify_url FROM orders o WHERE o.out_trade_no = t.order_no) AS "notifyUrl"
    FROM payment_transactions t WHERE ${condition} FOR NO KEY UPDATE OF t`;
  return row ?? null;
}
