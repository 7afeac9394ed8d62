// Picks from all that WeChat knows the lines of one merchant's bill.
import type { Payment, SimulatedOrder, Transactions } from '../payments/transactions';
import type { RefundStore, SimulatedRefund } from '../refunds/refund-store';
import type { SharingStore } from '../sharing/sharing-store';
import { beijingDate } from './bill-days';
import type { TradeBillType } from './columns';
import {
  fundLines,
  paymentMovements,
  refundMovement,
  returnMovement,
  sharingMovement,
} from './fund-lines';
import { paymentLine, refundLine, reversalLine, type BillLine } from './trade-lines';

export interface Books {
  /** @param days `YYYY-MM-DD`: more than one where a test brings trades forward */
  readonly tradeLines: (
    merchantId: string,
    type: TradeBillType,
    days: readonly string[],
  ) => readonly BillLine[];
  readonly fundLines: (merchantId: string, days: readonly string[]) => readonly BillLine[];
}

/** A payment stands in the bill of the day it was made, a refund in that of its request. */
export function createBooks(deps: {
  readonly transactions: Transactions;
  readonly refunds: RefundStore;
  readonly sharings: SharingStore;
}): Books {
  const paymentsOf = (merchantId: string): { order: SimulatedOrder; payment: Payment }[] =>
    deps.transactions
      .all()
      .filter((order) => order.merchantId === merchantId)
      .flatMap((order) => order.payments.map((payment) => ({ order, payment })));
  const refundsOf = (merchantId: string): SimulatedRefund[] =>
    deps.refunds.all().filter(({ order }) => order.merchantId === merchantId);
  return {
    tradeLines: (merchantId, type, days) => {
      const isInBill = (atMs: number): boolean => days.includes(beijingDate(atMs));
      const payments = paymentsOf(merchantId).filter(({ payment }) =>
        isInBill(payment.successTimeMs),
      );
      const refunds = refundsOf(merchantId).filter(({ createdAtMs }) => isInBill(createdAtMs));
      const reversed = payments.filter(({ order }) => order.state === 'REVOKED');
      return [
        ...(type === 'REFUND'
          ? []
          : payments.map(({ order, payment }) => paymentLine(order, payment))),
        ...(type === 'SUCCESS'
          ? []
          : [
              ...reversed.map(({ order, payment }) => reversalLine(order, payment)),
              ...refunds.map((refund) => refundLine(refund, type === 'REFUND')),
            ]),
      ];
    },
    fundLines: (merchantId, days) => {
      const sharings = deps.sharings.sharings.all().filter(({ order }) => isOf(order, merchantId));
      const returns = deps.sharings.returns
        .all()
        .filter(({ sharing }) => isOf(sharing.order, merchantId));
      const movements = [
        ...paymentsOf(merchantId).flatMap(({ order, payment }) => paymentMovements(order, payment)),
        ...refundsOf(merchantId).flatMap(refundMovement),
        ...sharings.flatMap((sharing) =>
          sharing.parts.flatMap((part) => sharingMovement(sharing, part)),
        ),
        ...returns.flatMap(returnMovement),
      ];
      return fundLines(movements, ({ atMs }) => days.includes(beijingDate(atMs)));
    },
  };
}

const isOf = (order: SimulatedOrder, merchantId: string): boolean =>
  order.merchantId === merchantId;
