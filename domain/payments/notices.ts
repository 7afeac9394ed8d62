// The notices of WeChat, reduced to what Oncepay decides on: payments, refunds, profit sharings.
// Sandbox: deterministic only.
import type { Fen } from '../money';

/**
 * A payment as WeChat reports it, by callback or in the response to a query. Personal data (the
 * payer's openid) is not part of it.
 */
export interface PaymentNotice {
  readonly kind: 'payment';
  readonly outTradeNo: string;
  /** null as long as nothing was paid (NOTPAY, CLOSED, …), and where WeChat names no usable one. */
  readonly transactionId: string | null;
  /** null for a state that Oncepay doesn't know, and where there is none. */
  readonly tradeState: TradeState | null;
  /** The state as WeChat wrote it, for people; null where it wrote no text. */
  readonly reportedState: string | null;
  readonly totalFen: Fen | null;
  readonly payerTotalFen: Fen | null;
  readonly currency: string | null;
  readonly appId: string | null;
  readonly merchantId: string | null;
  readonly tradeType: string | null;
  /** RFC 3339, unchanged from WeChat. */
  readonly successTime: string | null;
  /** WeChat's names of the side fields that can't be read: nothing is decided by them. */
  readonly unreadable: readonly string[];
}

/** The states in which money has come. */
export function carriesMoney(state: TradeState | null): state is 'SUCCESS' | 'REFUND' {
  return state === 'SUCCESS' || state === 'REFUND';
}

/** `trade_state` of https://pay.weixin.qq.com/doc/v3/merchant/4012791832. */
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

/** A refund as WeChat reports it by callback. */
export interface RefundNotice {
  readonly kind: 'refund';
  readonly outTradeNo: string;
  readonly transactionId: string | null;
  /** null where WeChat names none that we can use. */
  readonly outRefundNo: string | null;
  readonly refundId: string | null;
  /** Empty where WeChat names none that we can use. */
  readonly refundStatus: string;
  readonly refundFen: Fen | null;
  /** Of the payment. */
  readonly totalFen: Fen | null;
  readonly currency: string | null;
  readonly merchantId: string | null;
  /** RFC 3339, unchanged from WeChat. */
  readonly successTime: string | null;
  /** WeChat's names of the side fields that can't be read: nothing is decided by them. */
  readonly unreadable: readonly string[];
}

/** A profit sharing as WeChat reports it by callback. */
export interface ProfitSharingNotice {
  readonly kind: 'profit_sharing';
  readonly transactionId: string | null;
  readonly outOrderNo: string | null;
}

/**
 * Text that passed signature and decryption, in a shape that Oncepay cannot read. It is stored with
 * the verdict `ignored`, and an alert is sent.
 */
export interface UnknownNotice {
  readonly kind: 'unknown';
}

export type Notice = PaymentNotice | RefundNotice | ProfitSharingNotice | UnknownNotice;
