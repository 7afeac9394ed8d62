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
 * Keeps a payment that no callback told of.
 * @returns true when it waits for a verdict
 */
export async function keepFound(
  { database, wechatpay, now }: FoundPaymentDeps,
  { notice, raw }: { readonly notice: PaymentNotice; readonly raw: string },
  merchantId: string,
): Promise<boolean> {
  const refund = notice.tradeState === 'REFUND' ? await ownRefund(wechatpay, notice) : null;
  return database.queries.keepFound({ notice, raw, merchantId, refund }, now());
}

/**
 * Paid and on its way back, and we know of neither: the books may be older than what we did. Our own refund of
 * a payment has the number made from it; if WeChat has that, nobody needs to be asked.
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
  // One that WeChat still works on is told by its callback.
  if (refundEvent(status) !== 'succeeded' && refundEvent(status) !== 'abnormal') return null;
  return { outRefundNo, status, raw: asCallback(outcome.value, merchantId) };
}
