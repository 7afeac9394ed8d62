// The body of a transaction in callbacks and query responses.
import type { PrepayApi } from '../../../domain/orders/channels';
import type { TradeState } from '../../../domain/payments/notices';
import { beijingTime } from '../time/beijing-time';
import type { Payment, SimulatedOrder } from './transactions';

export const TRADE_TYPES: Readonly<Record<PrepayApi, string>> = {
  jsapi: 'JSAPI',
  h5: 'MWEB',
  app: 'APP',
  native: 'NATIVE',
};
const DESCRIPTIONS: Readonly<Record<TradeState, string>> = {
  SUCCESS: '支付成功',
  REFUND: '转入退款',
  NOTPAY: '订单未支付',
  CLOSED: '订单已关闭',
  REVOKED: '已撤销',
  USERPAYING: '用户支付中',
  PAYERROR: '支付失败',
};

/** REFUND means: paid, and WeChat got at least one refund request for this payment. */
export function tradeStateOf(order: SimulatedOrder, payment: Payment | null): TradeState {
  return payment?.refundRequested === true ? 'REFUND' : order.state;
}

/**
 * A transaction as WeChat reports it, the same in queries and callbacks
 * (https://pay.weixin.qq.com/doc/v3/merchant/4012791902).
 *
 * @param payment null while nothing is paid.
 */
export function transactionBody(order: SimulatedOrder, payment: Payment | null): object {
  const tradeType = TRADE_TYPES[order.api ?? 'jsapi'];
  const tradeState = tradeStateOf(order, payment);
  const state = {
    trade_state: tradeState,
    trade_state_desc: DESCRIPTIONS[tradeState],
    attach: order.attach,
  };
  if (payment === null) {
    return {
      appid: order.appId,
      mchid: order.merchantId,
      out_trade_no: order.outTradeNo,
      ...state,
      amount: { total: order.totalFen, currency: 'CNY' },
      promotion_detail: [],
    };
  }
  return {
    appid: payment.appId,
    mchid: payment.merchantId,
    out_trade_no: order.outTradeNo,
    transaction_id: payment.transactionId,
    trade_type: tradeType,
    ...state,
    bank_type: 'OTHERS',
    success_time: beijingTime(payment.successTimeMs),
    payer: { openid: payment.openid },
    amount: {
      total: payment.totalFen,
      payer_total: payment.payerTotalFen,
      currency: payment.currency,
      payer_currency: payment.currency,
    },
    promotion_detail: [],
  };
}
