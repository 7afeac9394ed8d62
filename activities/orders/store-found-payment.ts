// Stores a payment that a query found in the inbox.
import type { Database } from '../../database/database';
import type { FoundRefund } from '../../database/orders/record-payment-queries';
import type { PaymentNotice } from '../../domain/payments/notices';
import { refundNumberOf } from '../../domain/refunds/refund-number';
import { refundEvent } from '../../domain/refunds/refund-state';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { asCallback } from '../../providers/wechatpay/calls/refunds';

interface FoundPaymentDeps {
  readonly database: Pick<Database, 'queries' | 'noticeQueries'>;
  readonly wechatpay: Pick<WechatPayClient, 'queryRefund'>;
  readonly now: () => number;
}

/**
 * Stores a payment that a query found and no callback has reported.
 * @param source a line of a bill, where it made Oncepay query
 * @returns true when the payment waits for its verdict
 */
export async function storeFoundPayment(
  deps: FoundPaymentDeps,
  { notice, raw }: { readonly notice: PaymentNotice; readonly raw: string },
  merchantId: string,
  source: 'query' | 'bill' = 'query',
): Promise<boolean> {
  const { database, now } = deps;
  const refunds = notice.tradeState === 'REFUND' ? await ownRefunds(deps, notice) : [];
  return database.queries.keepFound({ notice, raw, merchantId, refunds, source }, now());
}

/**
 * Finds our refunds of a payment that WeChat has carried out: those that are open in our rows, the
 * shop's too, and the one that is missing there, as after a restore of an old backup. The number of
 * that one is made from the transaction.
 */
async function ownRefunds(
  { database, wechatpay }: FoundPaymentDeps,
  { outTradeNo, transactionId, merchantId }: PaymentNotice,
): Promise<FoundRefund[]> {
  if (transactionId === null || merchantId === null) return [];
  const payment = { outTradeNo, transactionId, merchantId };
  const open = await database.noticeQueries.openRefunds(outTradeNo);
  const found: FoundRefund[] = [];
  for (const outRefundNo of new Set([refundNumberOf(transactionId), ...open])) {
    const refund = await queryRefund(wechatpay, { ...payment, outRefundNo });
    if (refund) found.push(refund);
  }
  return found;
}

/** @returns null when WeChat does not know the refund, or still works on it */
async function queryRefund(
  wechatpay: FoundPaymentDeps['wechatpay'],
  asked: {
    readonly outRefundNo: string;
    readonly outTradeNo: string;
    readonly transactionId: string;
    readonly merchantId: string;
  },
): Promise<FoundRefund | null> {
  const { outRefundNo, transactionId } = asked;
  const outcome = await wechatpay.queryRefund(asked);
  if (outcome.kind !== 'ok') return null;
  const { value: refund } = outcome;
  const isOfPayment = (refund.transactionId ?? transactionId) === transactionId;
  const isAsked = (refund.outRefundNo ?? outRefundNo) === outRefundNo;
  if (!isOfPayment || !isAsked || refund.status === null) return null;
  // WeChat reports the end of a refund that it still works on by callback.
  const event = refundEvent(refund.status);
  if (event !== 'succeeded' && event !== 'abnormal') return null;
  return { outRefundNo, status: refund.status, raw: asCallback(refund, asked) };
}
