// Keeps the refunds that WeChat knows.
import type { RefundBody } from './refund-schemas';
import type { Payment, SimulatedOrder } from '../payments/transactions';

/** Far above any benchmark's run; the oldest refunds are forgotten beyond it. */
const REFUND_LIMIT = 250_000;

/** The statuses with which a refund can end. */
export const REFUND_ENDS = ['SUCCESS', 'CLOSED', 'ABNORMAL'] as const;
export type RefundEnd = (typeof REFUND_ENDS)[number];
export const REFUND_STATUSES = [...REFUND_ENDS, 'PROCESSING'] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];

export interface SimulatedRefund {
  readonly outRefundNo: string;
  readonly refundId: string;
  readonly order: SimulatedOrder;
  readonly payment: Payment;
  readonly refundFen: number;
  readonly createdAtMs: number;
  /** The content that must come again with the same number. */
  readonly body: RefundBody;
  status: RefundStatus;
  successTimeMs: number | null;
  /** The account to which an abnormal refund was redirected, decrypted. */
  sentTo: UserBankCard | 'merchant_bank_card' | null;
}

export interface UserBankCard {
  readonly bankType: string;
  readonly bankAccount: string;
  readonly realName: string;
}

export interface RefundStore {
  add: (refund: SimulatedRefund) => void;
  find: (merchantId: string, outRefundNo: string) => SimulatedRefund | null;
  /** Over all merchants: for the control API. */
  findAnywhere: (outRefundNo: string) => SimulatedRefund | null;
  findById: (refundId: string) => SimulatedRefund | null;
  /** The oldest first. */
  of: (payment: Payment) => readonly SimulatedRefund[];
  all: () => SimulatedRefund[];
  clear: () => void;
}

const keyOf = (merchantId: string, outRefundNo: string): string => `${merchantId}/${outRefundNo}`;

/** The refunds that WeChat knows. Kept in memory, bounded, nothing on disk. */
export function createRefundStore(): RefundStore {
  const byNumber = new Map<string, SimulatedRefund>();
  const byId = new Map<string, SimulatedRefund>();
  const byPayment = new Map<string, SimulatedRefund[]>();
  const merchantIds = new Set<string>();

  const find = (merchantId: string, outRefundNo: string): SimulatedRefund | null =>
    byNumber.get(keyOf(merchantId, outRefundNo)) ?? null;
  const of = ({ transactionId }: Payment): SimulatedRefund[] => byPayment.get(transactionId) ?? [];
  const forgetOldest = (): void => {
    const oldest = byNumber.values().next().value;
    if (oldest === undefined) return;
    byNumber.delete(keyOf(oldest.order.merchantId, oldest.outRefundNo));
    byId.delete(oldest.refundId);
    const others = of(oldest.payment).filter((refund) => refund !== oldest);
    if (others.length === 0) byPayment.delete(oldest.payment.transactionId);
    else byPayment.set(oldest.payment.transactionId, others);
  };
  return {
    add: (refund) => {
      const { merchantId } = refund.order;
      merchantIds.add(merchantId);
      byNumber.set(keyOf(merchantId, refund.outRefundNo), refund);
      byId.set(refund.refundId, refund);
      byPayment.set(refund.payment.transactionId, [...of(refund.payment), refund]);
      if (byNumber.size > REFUND_LIMIT) forgetOldest();
    },
    find,
    findAnywhere: (outRefundNo) => {
      for (const merchantId of merchantIds) {
        const refund = find(merchantId, outRefundNo);
        if (refund !== null) return refund;
      }
      return null;
    },
    findById: (refundId) => byId.get(refundId) ?? null,
    of,
    all: () => [...byNumber.values()],
    clear: () => {
      byNumber.clear();
      byId.clear();
      byPayment.clear();
    },
  };
}
