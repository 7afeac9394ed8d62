// Locks a refund's row, and reads from it what its requests and attempts are made of.
import type { Fen } from '../../domain/money';
import type { OrderNumber } from '../../domain/orders/order-number';
import type { RefundStatus } from '../../domain/refunds/refund-state';
import type { Tx } from '../core/context';
import { lockOrder } from '../core/lock-order';
import type { RequestAttempts } from '../requests/numbered-attempts';

declare const lockProof: unique symbol;

/** A refund, locked until the transaction ends. {@link lockRefund} alone makes it. */
export interface LockedRefund {
  readonly [lockProof]: true;
  readonly outRefundNo: string;
  /** Of the payment; with `orderNo: null` it is the number of no order of ours. */
  readonly outTradeNo: string;
  readonly orderNo: OrderNumber | null;
  readonly transactionKey: string;
  readonly merchantId: string;
  readonly transactionId: string;
  readonly amountFen: Fen;
  /** Of the payment. */
  readonly totalFen: Fen;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string;
  readonly origin: string;
  readonly restock: boolean;
  readonly revokeCodes: boolean;
  readonly status: RefundStatus;
  readonly refundId: string | null;
  /** Where an abnormal refund shall go; null until a person has decided it. */
  readonly abnormalEncrypted: string | null;
  readonly nextQueryAt: Date | null;
  readonly acceptedAt: Date | null;
  /** A person accepted that it leaves the merchant short. */
  readonly shortAcceptedAt: Date | null;
}

/** All of a refund's request, stored with it: the same bytes at every attempt (P8). */
export interface StoredRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly transactionId: string;
  readonly refundFen: Fen;
  /** Of the payment. */
  readonly totalFen: Fen;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string;
}

/** The part of a refund's row that its requests are made of. */
export function storedRefund(row: LockedRefund): StoredRefund {
  return {
    outRefundNo: row.outRefundNo,
    outTradeNo: row.outTradeNo,
    merchantId: row.merchantId,
    transactionId: row.transactionId,
    refundFen: row.amountFen,
    totalFen: row.totalFen,
    currency: row.currency,
    reason: row.reason,
    notifyUrl: row.notifyUrl,
  };
}

/**
 * Locks a refund, and the order it belongs to first, so that everybody locks in one order.
 * @returns null when there is no such refund
 */
export async function lockRefund(tx: Tx, outRefundNo: string): Promise<LockedRefund | null> {
  const outTradeNo = await orderOf(tx, outRefundNo);
  if (outTradeNo === null) return null;
  await lockOrder(tx, outTradeNo);
  return lockRow(tx, outRefundNo);
}

/**
 * Locks a refund of an order that the caller has locked. A refund of another order is not locked,
 * nor is its order: two transactions that each have one order would wait for each other.
 * @returns null when there is no such refund
 */
export async function lockRefundOf(
  tx: Tx,
  outTradeNo: string,
  outRefundNo: string,
): Promise<LockedRefund | 'of_another_order' | null> {
  const owner = await orderOf(tx, outRefundNo);
  if (owner === null) return null;
  return owner === outTradeNo ? lockRow(tx, outRefundNo) : 'of_another_order';
}

/** The number of the order that a refund belongs to; it never changes. */
async function orderOf(tx: Tx, outRefundNo: string): Promise<string | null> {
  const found = await tx.refund.findUnique({
    where: { outRefundNo },
    select: { outTradeNo: true },
  });
  return found?.outTradeNo ?? null;
}

async function lockRow(tx: Tx, outRefundNo: string): Promise<LockedRefund | null> {
  const [row] = await tx.$queryRaw<LockedRefund[]>`
    SELECT out_refund_no AS "outRefundNo", out_trade_no AS "outTradeNo", order_no AS "orderNo",
      transaction_key::text AS "transactionKey", merchant_id AS "merchantId",
      transaction_id AS "transactionId", amount_fen AS "amountFen", total_fen AS "totalFen",
      currency, reason, notify_url AS "notifyUrl", origin, restock, revoke_codes AS "revokeCodes",
      status, refund_id AS "refundId", abnormal_encrypted AS "abnormalEncrypted",
      next_query_at AS "nextQueryAt", accepted_at AS "acceptedAt",
      short_accepted_at AS "shortAcceptedAt"
    FROM refunds WHERE out_refund_no = ${outRefundNo} FOR NO KEY UPDATE`;
  return row ?? null;
}

/**
 * The two requests that a refund may need: the refund itself, and its redirect when it is abnormal.
 */
export type RefundOperation = 'refund' | 'abnormal';

/** The attempts of one refund at one of its two requests. */
export function refundAttempts(outRefundNo: string, operation: RefundOperation): RequestAttempts {
  return { table: 'refund_attempts', columns: { out_refund_no: outRefundNo, operation } };
}
