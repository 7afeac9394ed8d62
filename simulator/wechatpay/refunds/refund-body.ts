// The body of a refund in callbacks and responses.
import { beijingTime } from '../time/beijing-time';
import type { SimulatedRefund } from './refund-store';

const LAST_DIGITS = 4;

/** The part that the payer paid in cash: coupons go back in proportion. */
function payerRefundFen({ refundFen, payment }: SimulatedRefund): number {
  return Math.round((refundFen * payment.payerTotalFen) / payment.totalFen);
}

function receivedAccount({ sentTo }: SimulatedRefund): string {
  if (sentTo === null) return '支付用户零钱';
  if (sentTo === 'merchant_bank_card') return '商户结算银行账户';
  return `${sentTo.bankType}${sentTo.bankAccount.slice(-LAST_DIGITS)}`;
}

/** Fields that responses and callbacks share; fields without a value yet are left out. */
function common(refund: SimulatedRefund) {
  const { payment, order, successTimeMs } = refund;
  return {
    transaction_id: payment.transactionId,
    out_trade_no: order.outTradeNo,
    out_refund_no: refund.outRefundNo,
    refund_id: refund.refundId,
    user_received_account: receivedAccount(refund),
    ...(successTimeMs === null ? {} : { success_time: beijingTime(successTimeMs) }),
  };
}

/**
 * A refund as WeChat reports it, the same when it is made, queried or redirected
 * (https://pay.weixin.qq.com/doc/v3/merchant/4012791904).
 */
export function refundBody(refund: SimulatedRefund): object {
  const { payment, refundFen } = refund;
  const payerRefund = payerRefundFen(refund);
  return {
    ...common(refund),
    channel: 'ORIGINAL',
    create_time: beijingTime(refund.createdAtMs),
    status: refund.status,
    funds_account: refund.body.funds_account ?? 'AVAILABLE',
    amount: {
      total: payment.totalFen,
      refund: refundFen,
      from: [],
      payer_total: payment.payerTotalFen,
      payer_refund: payerRefund,
      settlement_total: payment.totalFen,
      settlement_refund: refundFen,
      discount_refund: refundFen - payerRefund,
      currency: payment.currency,
      refund_fee: 0,
    },
    promotion_detail: [],
  };
}

/**
 * The encrypted content of a refund's callback:
 * https://pay.weixin.qq.com/doc/v3/merchant/4012791906.
 */
export function refundNoticeBody(refund: SimulatedRefund): object {
  const { payment, refundFen } = refund;
  return {
    mchid: refund.order.merchantId,
    ...common(refund),
    refund_status: refund.status,
    amount: {
      total: payment.totalFen,
      refund: refundFen,
      payer_total: payment.payerTotalFen,
      payer_refund: payerRefundFen(refund),
    },
  };
}
