// The bodies of sharings and share returns in callbacks and responses.
import { beijingTime } from '../time/beijing-time';
import type { SharedPart, SimulatedReturn, SimulatedSharing } from './sharing-store';

const ended = (failReason: string | null, finishedAtMs: number | null) => ({
  ...(failReason === null ? {} : { fail_reason: failReason }),
  ...(finishedAtMs === null ? {} : { finish_time: beijingTime(finishedAtMs) }),
});

/** FINISHED means that each receiver has a result; it does not say which. */
export function stateOf({ parts }: SimulatedSharing): 'PROCESSING' | 'FINISHED' {
  return parts.some(({ result }) => result === 'PENDING') ? 'PROCESSING' : 'FINISHED';
}

/**
 * A sharing as WeChat reports it, the same when it is made and when it is queried
 * (https://pay.weixin.qq.com/doc/v3/merchant/4012525210).
 */
export function sharingBody(sharing: SimulatedSharing): object {
  return {
    transaction_id: sharing.payment.transactionId,
    out_order_no: sharing.outOrderNo,
    order_id: sharing.orderId,
    state: stateOf(sharing),
    receivers: sharing.parts.map((part) => ({
      type: part.type,
      account: part.account,
      amount: part.amountFen,
      description: part.description,
      result: part.result,
      detail_id: part.detailId,
      create_time: beijingTime(part.createdAtMs),
      ...ended(part.failReason, part.finishedAtMs),
    })),
  };
}

/** https://pay.weixin.qq.com/doc/v3/merchant/4012526279 */
export function returnBody(one: SimulatedReturn): object {
  return {
    order_id: one.sharing.orderId,
    out_order_no: one.sharing.outOrderNo,
    out_return_no: one.outReturnNo,
    return_id: one.returnId,
    return_mchid: one.returnMerchantId,
    amount: one.amountFen,
    description: one.description,
    result: one.result,
    create_time: beijingTime(one.createdAtMs),
    ...ended(one.failReason, one.finishedAtMs),
  };
}

/** The encrypted content of a callback about one receiver that has got its money. */
export function sharingNoticeBody(sharing: SimulatedSharing, part: SharedPart): object {
  return {
    mchid: sharing.order.merchantId,
    transaction_id: sharing.payment.transactionId,
    order_id: sharing.orderId,
    out_order_no: sharing.outOrderNo,
    receiver: {
      type: part.type,
      account: part.account,
      amount: part.amountFen,
      description: part.description,
    },
    success_time: beijingTime(part.finishedAtMs ?? part.createdAtMs),
  };
}
