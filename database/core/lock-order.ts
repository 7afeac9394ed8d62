// Locks an order's row: the one way to a LockedOrder, which writes of an order take.
//
// Every transaction takes its locks in this order, so that no two can wait for each other:
//   1. the row of an Idempotency-Key
//   2. one order, or one number that is none of our orders: here. Never a second one. Then the
//      subject of a proposal, and the person or client that moves money (database/proposals/)
//   3. numbers that another order's transaction may insert as well, sorted: lockNumbers
//   4. what belongs to that order: transactions, refunds, sharings, interventions, inbox rows
//   5. products by sku, then codes, points and statistics
// A statement on rows of many orders skips those that another transaction has locked.
import type { Fen } from '../../domain/money';
import type { OrderStatus } from '../../domain/orders/order-state';
import type { Tx } from './context';

/** The columns of an order that steps decide on, and the facts that hang on it. */
interface OrderFields extends OrderFacts {
  readonly outTradeNo: string;
  readonly status: OrderStatus;
  readonly channel: string;
  readonly userId: string;
  readonly shopOrderNo: string | null;
  readonly profitSharing: boolean;
  readonly totalFen: Fen;
  readonly refundedFen: Fen;
  readonly currency: string;
  readonly metadata: unknown;
  readonly appId: string;
  readonly merchantId: string;
  readonly prepayRounds: number;
  readonly timeExpire: string;
  readonly expiresAt: Date;
  readonly closeRequestedAt: Date | null;
  readonly refusalCode: string | null;
  readonly paidAt: Date | null;
  readonly createdAt: Date;
}

interface OrderFacts {
  /** WeChat's number of the payment that paid the order. */
  readonly appliedTransactionId: string | null;
  readonly hasOpenIntervention: boolean;
  /** An open intervention holds the order's effects back. */
  readonly effectsHeld: boolean;
}

declare const lockProof: unique symbol;

/**
 * An order whose row this transaction has locked. Only {@link lockOrder} makes one: a function that
 * takes it needs the lock, and its caller can't forget it (S6).
 */
export interface LockedOrder extends OrderFields {
  readonly [lockProof]: true;
}

/**
 * Locks the order's row until the transaction ends; null when there is none. A second statement
 * reads the facts of other tables: a statement that waited for the lock sees the locked row as it
 * is now, and everything else as it was before the wait (PostgreSQL, READ COMMITTED).
 */
export async function lockOrder(tx: Tx, outTradeNo: string): Promise<LockedOrder | null> {
  const [row] = await tx.$queryRaw<Omit<OrderFields, keyof OrderFacts>[]>`
    SELECT out_trade_no AS "outTradeNo", status, channel, user_id AS "userId",
      shop_order_no AS "shopOrderNo", profit_sharing AS "profitSharing", total_fen AS "totalFen",
      refunded_fen AS "refundedFen", currency, metadata, app_id AS "appId",
      merchant_id AS "merchantId", prepay_rounds AS "prepayRounds", time_expire AS "timeExpire",
      expires_at AS "expiresAt", close_requested_at AS "closeRequestedAt",
      refusal_code AS "refusalCode", paid_at AS "paidAt",
      created_at AS "createdAt"
    FROM orders WHERE out_trade_no = ${outTradeNo} FOR NO KEY UPDATE`;
  if (!row) {
    // An unknown number has no row to lock: this lock keeps its writers in one order.
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${outTradeNo}, 0))`;
    return null;
  }
  const [facts] = await tx.$queryRaw<OrderFacts[]>`
    SELECT (SELECT transaction_id FROM payment_transactions
        WHERE order_no = ${outTradeNo} AND status = 'applied') AS "appliedTransactionId",
      count(*) > 0 AS "hasOpenIntervention",
      coalesce(bool_or(reason = 'reconciliation'), false) AS "effectsHeld"
    FROM interventions WHERE order_no = ${outTradeNo} AND status = 'open'`;
  if (!facts) throw new Error(`No row of facts was returned for order ${outTradeNo}`);
  return { ...row, ...facts } as LockedOrder;
}

/** Apart from the locks of unknown order numbers and of sharings. */
const NUMBER_LOCKS = 1;

/**
 * Locks the numbers that WeChat's notices name, sorted: transactions of two orders that insert the
 * same two numbers would wait for each other at the unique index. A single number can't do that.
 */
export async function lockNumbers(tx: Tx, numbers: readonly string[]): Promise<void> {
  const sorted = [...new Set(numbers)].sort();
  if (sorted.length < 2) return;
  await tx.$executeRaw`
    SELECT pg_advisory_xact_lock(hashtextextended(number, ${NUMBER_LOCKS}::bigint))
    FROM unnest(${sorted}::text[]) WITH ORDINALITY AS n (number, place) ORDER BY place`;
}
