// Makes the lines of a fund-flow bill: each movement of the merchant's account.
import type { Payment, SimulatedOrder } from '../payments/transactions';
import type { SimulatedRefund } from '../refunds/refund-store';
import type { SharedPart, SimulatedReturn, SimulatedSharing } from '../sharing/sharing-store';
import { feeFenOf, timeText, yuanText } from './amounts';
import type { BillLine } from './trade-lines';

/** The account before its first movement: 100,000 yuan, so that refunds can be paid. */
const OPENING_FEN = 10_000_000;

/** A movement before it stands behind the balance. */
export interface Movement {
  readonly atMs: number;
  readonly businessId: string;
  readonly name: string;
  readonly type: string;
  /** Negative: out of the account. */
  readonly amountFen: number;
  readonly remark: string;
  /** The merchant's own number. */
  readonly voucher: string;
  readonly outTradeNo: string;
  readonly outRefundNo: string | null;
}

/** A payment comes in whole; its fee goes out beside it. */
export function paymentMovements(order: SimulatedOrder, payment: Payment): Movement[] {
  const { totalFen, transactionId, successTimeMs } = payment;
  const feeFen = feeFenOf(totalFen);
  const remark = `结算总金额 ${yuanText(totalFen)} 元;含手续费 ${yuanText(feeFen)} 元`;
  const common = {
    atMs: successTimeMs,
    businessId: transactionId,
    name: '交易',
    remark,
    voucher: order.outTradeNo,
    outTradeNo: order.outTradeNo,
    outRefundNo: null,
  };
  const paid = { ...common, type: '交易', amountFen: totalFen };
  return feeFen === 0 ? [paid] : [paid, { ...common, type: '扣除交易手续费', amountFen: -feeFen }];
}

/** A refund that was carried out: less the fee that WeChat gives back. */
export function refundMovement(refund: SimulatedRefund): Movement[] {
  const { refundFen, successTimeMs, refundId, outRefundNo, order } = refund;
  if (successTimeMs === null) return [];
  const feeFen = feeFenOf(refundFen);
  return [
    {
      atMs: successTimeMs,
      businessId: refundId,
      name: '退款',
      type: '退款',
      amountFen: -(refundFen - feeFen),
      remark: `退款总金额 ${yuanText(refundFen)} 元;含手续费 ${yuanText(feeFen)} 元`,
      voucher: outRefundNo,
      outTradeNo: order.outTradeNo,
      outRefundNo,
    },
  ];
}

/** A receiver's part that was paid out. */
export function sharingMovement(sharing: SimulatedSharing, part: SharedPart): Movement[] {
  if (part.result !== 'SUCCESS' || part.finishedAtMs === null) return [];
  return [
    {
      atMs: part.finishedAtMs,
      businessId: part.detailId,
      name: '分账',
      type: '分账',
      amountFen: -part.amountFen,
      remark: '',
      voucher: sharing.outOrderNo,
      outTradeNo: sharing.order.outTradeNo,
      outRefundNo: null,
    },
  ];
}

/** A part that came back from a receiver. */
export function returnMovement(one: SimulatedReturn): Movement[] {
  if (one.result !== 'SUCCESS' || one.finishedAtMs === null) return [];
  return [
    {
      atMs: one.finishedAtMs,
      businessId: one.returnId,
      name: '分账回退',
      type: '分账回退',
      amountFen: one.amountFen,
      remark: '',
      voucher: one.outReturnNo,
      outTradeNo: one.sharing.order.outTradeNo,
      outRefundNo: null,
    },
  ];
}

/**
 * The lines of some movements with the balance after each, which counts all movements before.
 *
 * @param all every movement of the account, in any order
 */
export function fundLines(
  all: readonly Movement[],
  isInBill: (movement: Movement) => boolean,
): BillLine[] {
  let balanceFen = OPENING_FEN;
  return all
    .toSorted((a, b) => a.atMs - b.atMs)
    .flatMap((movement) => {
      balanceFen += movement.amountFen;
      return isInBill(movement) ? [fundLine(movement, balanceFen)] : [];
    });
}

function fundLine(movement: Movement, balanceFen: number): BillLine {
  const { amountFen, outTradeNo, outRefundNo } = movement;
  return {
    outTradeNo,
    outRefundNo,
    cells: {
      记账时间: timeText(movement.atMs),
      微信支付业务单号: movement.businessId,
      资金流水单号: movement.businessId,
      业务名称: movement.name,
      业务类型: movement.type,
      收支类型: amountFen < 0 ? '支出' : '收入',
      '收支金额(元)': yuanText(Math.abs(amountFen)),
      '账户结余(元)': yuanText(balanceFen),
      资金变更提交申请人: 'system',
      备注: movement.remark,
      业务凭证号: movement.voucher,
    },
  };
}
