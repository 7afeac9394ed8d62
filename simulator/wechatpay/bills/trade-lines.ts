// Makes the lines of a trade bill from the payments and refunds that WeChat knows.
import { TRADE_TYPES } from '../payments/transaction-body';
import type { Payment, SimulatedOrder } from '../payments/transactions';
import type { RefundStatus, SimulatedRefund } from '../refunds/refund-store';
import { feeOf, feeText, plainText, RATE_TEXT, timeText, yuanText } from './amounts';
import type { Cells } from './columns';

/** A line, with the numbers by which a fault finds it. */
export interface BillLine {
  readonly outTradeNo: string | null;
  readonly outRefundNo: string | null;
  readonly cells: Cells;
}

const NONE = '0';

/** A bill says other words than the API: https://pay.weixin.qq.com/doc/v3/merchant/4012791904 */
const REFUND_STATES: Readonly<Record<RefundStatus, string>> = {
  SUCCESS: 'SUCCESS',
  PROCESSING: 'PROCESSING',
  ABNORMAL: 'CHANGE',
  CLOSED: 'FAIL',
};

/** The cells that the lines of a payment, its refunds and its reversal share. */
function commonCells(order: SimulatedOrder, payment: Payment): Cells {
  return {
    公众账号ID: payment.appId,
    商户号: payment.merchantId,
    特约商户号: NONE,
    微信订单号: payment.transactionId,
    商户订单号: order.outTradeNo,
    用户标识: payment.openid,
    交易类型: TRADE_TYPES[order.api ?? 'jsapi'],
    付款银行: 'OTHERS',
    货币种类: payment.currency,
    商品名称: plainText(order.description),
    商户数据包: plainText(order.attach),
    费率: RATE_TEXT,
    应结订单金额: yuanText(0),
    代金券金额: yuanText(0),
    微信退款单号: NONE,
    商户退款单号: NONE,
    退款金额: yuanText(0),
    充值券退款金额: yuanText(0),
    手续费: feeText(0),
    订单金额: yuanText(0),
    申请退款金额: yuanText(0),
  };
}

/** The coupons here are charged ones: the merchant gets their amount too. */
export function paymentLine(order: SimulatedOrder, payment: Payment): BillLine {
  const { totalFen, payerTotalFen, successTimeMs } = payment;
  return {
    outTradeNo: order.outTradeNo,
    outRefundNo: null,
    cells: {
      ...commonCells(order, payment),
      交易时间: timeText(successTimeMs),
      交易状态: 'SUCCESS',
      应结订单金额: yuanText(totalFen),
      代金券金额: yuanText(Math.max(0, totalFen - payerTotalFen)),
      手续费: feeText(feeOf(totalFen)),
      订单金额: yuanText(totalFen),
    },
  };
}

/** The second line of a payment that was taken back at the till: it has no refund number. */
export function reversalLine(order: SimulatedOrder, payment: Payment): BillLine {
  const { totalFen, successTimeMs } = payment;
  return {
    outTradeNo: order.outTradeNo,
    outRefundNo: null,
    cells: {
      ...commonCells(order, payment),
      交易时间: timeText(successTimeMs),
      交易状态: 'REVOKED',
      退款金额: yuanText(totalFen),
      退款类型: 'ORIGINAL',
      退款状态: 'SUCCESS',
      申请退款金额: yuanText(totalFen),
    },
  };
}

/** @param isRefundBill its first time is the payment's; in other bills it is the refund's */
export function refundLine(refund: SimulatedRefund, isRefundBill: boolean): BillLine {
  const { order, payment, refundFen, createdAtMs, successTimeMs } = refund;
  return {
    outTradeNo: order.outTradeNo,
    outRefundNo: refund.outRefundNo,
    cells: {
      ...commonCells(order, payment),
      交易时间: timeText(isRefundBill ? payment.successTimeMs : createdAtMs),
      交易状态: 'REFUND',
      退款申请时间: timeText(createdAtMs),
      退款成功时间: successTimeMs === null ? '' : timeText(successTimeMs),
      微信退款单号: refund.refundId,
      商户退款单号: refund.outRefundNo,
      退款金额: yuanText(refundFen),
      退款类型: 'ORIGINAL',
      退款状态: REFUND_STATES[refund.status],
      手续费: feeText(-feeOf(refundFen)),
      申请退款金额: yuanText(refundFen),
    },
  };
}
