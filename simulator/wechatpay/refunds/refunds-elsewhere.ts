// Makes refunds that the merchant began at WeChat's merchant platform, without Oncepay.
import { ControlRefusal } from '../http/reply';
import { randomDigits } from '../keys/crypto';
import type { Payment, SimulatedOrder, Transactions } from '../payments/transactions';
import { newRefundId } from './refunds';
import type { RefundStatus, RefundStore, SimulatedRefund } from './refund-store';

/** A refund that Oncepay does not know: WeChat sends no callback, so it must be found. */
export interface ElsewhereRefund {
  readonly outTradeNo: string;
  /** Default: the order's first payment. */
  readonly transactionId?: string | undefined;
  /** Default: WeChat makes one up. */
  readonly outRefundNo?: string | undefined;
  readonly refundFen: number;
  /** Default SUCCESS. */
  readonly status?: RefundStatus | undefined;
  /** RFC 3339. Default now; an earlier time puts the refund into an earlier bill. */
  readonly requestedAt?: string | undefined;
  /** RFC 3339. Default: when it was requested. */
  readonly successTime?: string | undefined;
}

function findPayment(
  transactions: Transactions,
  { outTradeNo, transactionId }: ElsewhereRefund,
): { readonly order: SimulatedOrder; readonly payment: Payment } {
  const order = transactions.findAnywhere(outTradeNo);
  const payment = order?.payments.find(
    (one) => transactionId === undefined || one.transactionId === transactionId,
  );
  if (!order || !payment) throw new ControlRefusal(404, 'ORDER_NOT_EXIST', 'no such payment');
  return { order, payment };
}

/**
 * @returns a function that adds such a refund
 * @throws ControlRefusal (from that function) when there is no such payment, the number is used, or
 *   less is left.
 */
export function createElsewhereRefunds(deps: {
  readonly transactions: Transactions;
  readonly store: RefundStore;
  readonly now: () => number;
}): (request: ElsewhereRefund) => SimulatedRefund {
  const { transactions, store, now } = deps;
  return (request) => {
    const { order, payment } = findPayment(transactions, request);
    const { refundFen, status = 'SUCCESS', outRefundNo = randomDigits(28) } = request;
    if (store.find(order.merchantId, outRefundNo) !== null) {
      throw new ControlRefusal(409, 'REFUND_EXISTS', 'the refund number is used');
    }
    const held = store.of(payment).filter((refund) => refund.status !== 'CLOSED');
    const heldFen = held.reduce((sum, refund) => sum + refund.refundFen, 0);
    if (heldFen + refundFen > payment.totalFen) {
      throw new ControlRefusal(409, 'NOT_ENOUGH', 'less is left of the payment');
    }
    const createdAtMs = request.requestedAt === undefined ? now() : Date.parse(request.requestedAt);
    const successTimeMs =
      request.successTime === undefined ? createdAtMs : Date.parse(request.successTime);
    const refund: SimulatedRefund = {
      order,
      payment,
      outRefundNo,
      refundId: newRefundId(createdAtMs),
      refundFen,
      createdAtMs,
      body: {
        transaction_id: payment.transactionId,
        out_refund_no: outRefundNo,
        amount: { refund: refundFen, total: payment.totalFen, currency: payment.currency },
      },
      status,
      successTimeMs: status === 'SUCCESS' ? successTimeMs : null,
      sentTo: null,
    };
    store.add(refund);
    payment.refundRequested = true;
    return refund;
  };
}
