// The parts of sharings and share returns that callers may see.
import { stateOf } from './sharing-body';
import type { SharedPart, SimulatedReturn, SimulatedSharing } from './sharing-store';

/** A sharing or an unfreeze, as the simulator's WeChat knows it. */
export interface SharingView {
  readonly kind: 'share' | 'unfreeze';
  readonly outOrderNo: string;
  readonly orderId: string;
  readonly outTradeNo: string;
  readonly transactionId: string;
  readonly merchantId: string;
  readonly state: 'PROCESSING' | 'FINISHED';
  readonly unfreezes: boolean;
  readonly createdAt: string;
  /** Names as WeChat reads them. */
  readonly parts: readonly Pick<
    SharedPart,
    'type' | 'account' | 'name' | 'amountFen' | 'description' | 'result' | 'failReason'
  >[];
}

export interface ReturnView extends Pick<
  SimulatedReturn,
  | 'outReturnNo'
  | 'returnId'
  | 'returnMerchantId'
  | 'amountFen'
  | 'description'
  | 'result'
  | 'failReason'
> {
  readonly outOrderNo: string;
  readonly outTradeNo: string;
  readonly createdAt: string;
}

/** The part of a sharing that callers may see. */
export function viewOfSharing(sharing: SimulatedSharing): SharingView {
  const { kind, outOrderNo, orderId, order, payment, unfreezes, createdAtMs } = sharing;
  return {
    kind,
    outOrderNo,
    orderId,
    outTradeNo: order.outTradeNo,
    transactionId: payment.transactionId,
    merchantId: order.merchantId,
    state: stateOf(sharing),
    unfreezes,
    createdAt: new Date(createdAtMs).toISOString(),
    parts: sharing.parts.map(
      ({ type, account, name, amountFen, description, result, failReason }) => {
        return { type, account, name, amountFen, description, result, failReason };
      },
    ),
  };
}

/** The part of a return that callers may see. */
export function viewOfReturn(one: SimulatedReturn): ReturnView {
  const { outReturnNo, returnId, returnMerchantId, amountFen, description } = one;
  return {
    outReturnNo,
    returnId,
    returnMerchantId,
    amountFen,
    description,
    result: one.result,
    failReason: one.failReason,
    outOrderNo: one.sharing.outOrderNo,
    outTradeNo: one.sharing.order.outTradeNo,
    createdAt: new Date(one.createdAtMs).toISOString(),
  };
}
