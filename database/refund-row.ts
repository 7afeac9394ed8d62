import type { RefundStatus } from '../domain/refund-state';

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
  readonly status: RefundStatus;
  readonly refund_id: string | null;
  readonly abnormal_encrypted: string | null;
  readonly next_query_at: Date | null;
  readonly accepted_at: Date | null;
  /** A person accepted that it leaves the merchant short. */
  readonly short_accepted_at: Date | null;
}
