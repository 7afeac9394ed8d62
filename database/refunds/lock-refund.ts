import type { RefundStatus } from '../../domain/refunds/refund-state';

/** A refund as it is locked. */
export interface LockedRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly orderNo: string | null;
  readonly transactionKey: string;
  readonly merchantId: string;
  readonly transactionId: string;
  readonly amountFen: number;
  readonly totalFen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string;
  readonly origin: string;
  readonly restock: boolean;
  readonly revokeCodes: boolean;
  readonly status: RefundStatus;
  readonly refundId: string | null;
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
  readonly refundFen: number;
  readonly totalFen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string;
  /** Money of a number that is one of our orders. */
  readonly ours: boolean;
}

/** What its requests are made of. */
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
    ours: row.orderNo !== null,
  };
}
