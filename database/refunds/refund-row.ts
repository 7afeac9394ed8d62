import type { RefundStatus } from '../../domain/refunds/refund-state';

/** A refund as it is locked. */
export interface RefundRow {
  readonly out_refund_no: string;
  readonly out_trade_no: string;
  readonly order_no: string | null;
  readonly transaction_key: string;
  readonly merchant_id: string;
  readonly transaction_id: string;
  readonly amount_fen: number;
  readonly total_fen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notify_url: string;
  readonly origin: string;
  readonly restock: boolean;
  readonly revoke_codes: boolean;
  readonly status: RefundStatus;
  readonly refund_id: string | null;
  readonly abnormal_encrypted: string | null;
  readonly next_query_at: Date | null;
  readonly accepted_at: Date | null;
  /** A person accepted that it leaves the merchant short. */
  readonly short_accepted_at: Date | null;
}

/** All of a refund's request, stored with it: the same bytes at every attempt (P8). */
export interface StoredRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly transactionId: string;
  readonly refundFen: number;
  readonly totalFen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string;
  /** Money of a number that is one of our orders. */
  readonly ours: boolean;
}

/** What its requests are made of. */
export function stored(row: RefundRow): StoredRefund {
  return {
    outRefundNo: row.out_refund_no,
    outTradeNo: row.out_trade_no,
    merchantId: row.merchant_id,
    transactionId: row.transaction_id,
    refundFen: row.amount_fen,
    totalFen: row.total_fen,
    currency: row.currency,
    reason: row.reason,
    notifyUrl: row.notify_url,
    ours: row.order_no !== null,
  };
}
