// WeChat's rules for refunds.
import { isDeepStrictEqual } from 'node:util';
import { refuse, type Reply } from '../http/reply';
import { beijingDay } from '../time/beijing-time';
import { randomDigits } from '../keys/crypto';
import type { Merchant } from '../keys/merchants';
import { refundBody } from './refund-body';
import type { RefundLimits } from './refund-limits';
import type { RefundBody } from './refund-schemas';
import type { RefundStore, SimulatedRefund } from './refund-store';
import type { Balances } from '../payments/balance';
import type { Payment, SimulatedOrder, Transactions } from '../payments/transactions';

const MAX_REFUNDS_PER_PAYMENT = 50;
/** A payment can be refunded within this time. */
const REFUNDABLE_MS = 365 * 24 * 3_600_000;

export interface RefundsDeps {
  readonly transactions: Transactions;
  readonly store: RefundStore;
  readonly balanceOf: Balances;
  readonly limits: RefundLimits;
  readonly now: () => number;
  /** Called when the money is on its way. */
  readonly begin: (refund: SimulatedRefund) => void;
}

export interface Refunds {
  /** Makes a new refund, or returns the one that the same request made before, as it is now. */
  ask: (merchant: Merchant, body: RefundBody) => Reply;
  query: (merchant: Merchant, outRefundNo: string) => Reply;
  /** Redirects an abnormal refund: it is PROCESSING again. */
  sendElsewhere: (
    merchant: Merchant,
    refund: { readonly refundId: string; readonly outRefundNo: string },
    to: NonNullable<SimulatedRefund['sentTo']>,
  ) => Reply;
}

interface Paid {
  readonly order: SimulatedOrder;
  readonly payment: Payment;
}

const invalid = (message: string): Reply => refuse(400, 'INVALID_REQUEST', message);
const replyOf = (refund: SimulatedRefund): Reply => ({ status: 200, body: refundBody(refund) });

/** 28 digits, as WeChat's: 503, 7 random ones, the Beijing day, 10 random ones. */
export function newRefundId(nowMs: number): string {
  return `503${randomDigits(7)}${beijingDay(nowMs)}${randomDigits(10)}`;
}

function findPaid(transactions: Transactions, merchant: Merchant, body: RefundBody): Paid | Reply {
  const unknown = refuse(404, 'RESOURCE_NOT_EXISTS', '订单不存在');
  const { transaction_id: transactionId, out_trade_no: outTradeNo } = body;
  if (transactionId !== undefined) {
    const found = transactions.findByTransaction(transactionId);
    const isMeant = outTradeNo === undefined || found?.order.outTradeNo === outTradeNo;
    return found?.order.merchantId === merchant.merchantId && isMeant ? found : unknown;
  }
  const order = transactions.find(merchant.merchantId, outTradeNo ?? '');
  if (order === null) return unknown;
  const [payment] = order.payments;
  return payment === undefined ? invalid('订单未支付，不可退款') : { order, payment };
}

/** Null when this amount of the payment can be refunded. */
function checkAmount(
  { amount }: RefundBody,
  payment: Payment,
  before: readonly SimulatedRefund[],
  nowMs: number,
): Reply | null {
  if (amount.total !== payment.totalFen) return invalid('订单金额与原支付金额不一致');
  if (amount.currency !== 'CNY' && amount.currency !== payment.currency) {
    return invalid('退款币种与支付币种不一致');
  }
  if (nowMs - payment.successTimeMs > REFUNDABLE_MS) return invalid('订单已超过可退款的最大期限');
  if (before.length >= MAX_REFUNDS_PER_PAYMENT) return invalid('订单退款次数超过限制');
  const held = before.filter(({ status }) => status !== 'CLOSED');
  const heldFen = held.reduce((sum, { refundFen }) => sum + refundFen, 0);
  return heldFen + amount.refund > payment.totalFen ? invalid('申请退款金额大于可退金额') : null;
}

/** The rules of WeChat's refunds (https://pay.weixin.qq.com/doc/v3/merchant/4012791903). */
export function createRefunds(deps: RefundsDeps): Refunds {
  const { transactions, store, balanceOf, limits, now, begin } = deps;
  return {
    ask: (merchant, body) => {
      const known = store.find(merchant.merchantId, body.out_refund_no);
      if (known !== null) {
        return isDeepStrictEqual(known.body, body)
          ? replyOf(known)
          : invalid('同一商户退款单号的请求参数与之前不一致');
      }
      const paid = findPaid(transactions, merchant, body);
      if ('status' in paid) return paid;
      const before = store.of(paid.payment);
      const refusal =
        checkAmount(body, paid.payment, before, now()) ?? limits.checkSpacing(before, now());
      if (refusal !== null) return refusal;
      const { frozenFen, unfrozenFen } = balanceOf(paid);
      if (body.amount.refund > frozenFen + unfrozenFen) {
        return refuse(403, 'NOT_ENOUGH', '已分账的资金未回退，可退余额不足');
      }
      const refund: SimulatedRefund = {
        ...paid,
        outRefundNo: body.out_refund_no,
        refundId: newRefundId(now()),
        refundFen: body.amount.refund,
        createdAtMs: now(),
        body,
        status: 'PROCESSING',
        successTimeMs: null,
        sentTo: null,
      };
      store.add(refund);
      paid.payment.refundRequested = true;
      begin(refund);
      return replyOf(refund);
    },
    query: ({ merchantId }, outRefundNo) => {
      const refund = store.find(merchantId, outRefundNo);
      return refund === null ? refuse(404, 'RESOURCE_NOT_EXISTS', '退款单不存在') : replyOf(refund);
    },
    sendElsewhere: ({ merchantId }, { refundId, outRefundNo }, to) => {
      const refund = store.find(merchantId, outRefundNo);
      if (refund?.refundId !== refundId) return refuse(404, 'RESOURCE_NOT_EXISTS', '退款单不存在');
      if (refund.status !== 'ABNORMAL') return invalid('退款单状态不是退款异常');
      refund.status = 'PROCESSING';
      refund.sentTo = to;
      begin(refund);
      return replyOf(refund);
    },
  };
}
