// Stores a payment that a query found in the inbox.
import type { Database } from '../../database/database';
import type { FoundRefund } from '../../database/orders/record-payment-queries';
import type { PaymentNotice } from '../../domain/payments/notices';
import { refundNumberOf } from '../../domain/refunds/refund-number';
import { refundEvent } from '../../domain/refunds/refund-state';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { asCallback } from '../../providers/wechatpay/calls/refunds';

interface FoundPaymentDeps {
  readonly database: Pick<Database, 'queries'>;
  readonly wechatpay: Pick<WechatPayClient, 'queryRefund'>;
  readonly now: () => number;
}

/**
 * Stores a payment that a query found and no callback has reported.
 * @returns true when the payment waits for its verdict
 */
export async function storeFoundPayment(
  { database, wechatpay, now }: FoundPaymentDeps,
  { notice, raw }: { readonly notice: PaymentNotice; readonly raw: string },
  merchantId: string,
): Promise<boolean> {
  const refund = notice.tradeState === 'REFUND' ? await ownRefund(wechatpay, notice) : null;
  return database.queries.keepFound({ notice, raw, merchantId, refund }, now());
}

/**
 * Finds our own refund of a payment that is missing in our rows, as after a restore of an old
 * backup. The number of such a refund is made from the transaction; when WeChat knows it, no person
 * is needed.
 * @returns null when WeChat does not know the refund, or still works on it
 */
async function ownRefund(
  wechatpay: FoundPaymentDeps['wechatpay'],
  { transactionId, merchantId }: PaymentNotice,
): Promise<FoundRefund | null> {
  if (transactionId === null || merchantId === null) return null;
  const outRefundNo = refundNumberOf(transactionId);
  const outcome = await wechatpay.queryRefund({ outRefundNo, merchantId });
  if (outcome.kind !== 'ok' || outcome.value.transactionId !== transactionId) return null;
  const { status } = outcome.value;
  // WeChat reports the end of a refund that it still works on by callback.
  if (refundEvent(status) !== 'succeeded' && refundEvent(status) !== 'abnormal') return null;
  return { outRefundNo, status, raw: asCallback(outcome.value, merchantId) };
}
