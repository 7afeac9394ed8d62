/**
 * What WeChat tells of a payment, by callback or by query, reduced to what Oncepay decides on.
 * Personal data (the payer's openid) is not part of it.
 */
export interface PaymentNotice {
  readonly kind: 'payment';
  readonly outTradeNo: string;
  /** Absent as long as nothing was paid (NOTPAY, CLOSED, …). */
  readonly transactionId: string | null;
  readonly tradeState: TradeState;
  readonly totalFen: number | null;
  readonly payerTotalFen: number | null;
  readonly currency: string | null;
  readonly appId: string | null;
  readonly merchantId: string | null;
  readonly tradeType: string | null;
  /** RFC 3339 as WeChat wrote it. */
  readonly successTime: string | null;
}

/** https://pay.weixin.qq.com/doc/v3/merchant/4012791832 `trade_state`. */
export const TRADE_STATES = [
  'SUCCESS',
  'REFUND',
  'NOTPAY',
  'CLOSED',
  'REVOKED',
  'USERPAYING',
  'PAYERROR',
] as const;
export type TradeState = (typeof TRADE_STATES)[number];

export interface RefundNotice {
  readonly kind: 'refund';
  readonly outTradeNo: string;
  readonly transactionId: string | null;
  readonly outRefundNo: string;
  readonly refundId: string | null;
  readonly refundStatus: string;
  readonly refundFen: number | null;
  /** Of the payment. */
  readonly totalFen: number | null;
  readonly currency: string | null;
  readonly merchantId: string | null;
  /** RFC 3339 as WeChat wrote it. */
  readonly successTime: string | null;
}

export interface ProfitSharingNotice {
  readonly kind: 'profit_sharing';
  readonly transactionId: string | null;
  readonly outOrderNo: string | null;
}

/** Text that passed signature and decryption, of a shape nobody here knows. Stored, ignored, alerted. */
export interface UnknownNotice {
  readonly kind: 'unknown';
}

export type Notice = PaymentNotice | RefundNotice | ProfitSharingNotice | UnknownNotice;
