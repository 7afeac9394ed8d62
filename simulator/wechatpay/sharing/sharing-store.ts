// Keeps the sharings, receivers and share returns that WeChat knows.
import type { Sharable } from '../payments/balance';
import type { Payment, SimulatedOrder } from '../payments/transactions';

/** Far above any benchmark's run; the oldest are forgotten beyond it. */
const LIMIT = 250_000;

export const RECEIVER_TYPES = ['MERCHANT_ID', 'PERSONAL_OPENID'] as const;
export type ReceiverType = (typeof RECEIVER_TYPES)[number];
/** The results with which a receiver's part can end. */
export const RECEIVER_ENDS = ['SUCCESS', 'CLOSED'] as const;
export type ReceiverEnd = (typeof RECEIVER_ENDS)[number];
export const RECEIVER_RESULTS = [...RECEIVER_ENDS, 'PENDING'] as const;
export type ReceiverResult = (typeof RECEIVER_RESULTS)[number];
/** The results with which a return can end. */
export const RETURN_ENDS = ['SUCCESS', 'FAILED'] as const;
export type ReturnEnd = (typeof RETURN_ENDS)[number];
export const RETURN_RESULTS = [...RETURN_ENDS, 'PROCESSING'] as const;
export type ReturnResult = (typeof RETURN_RESULTS)[number];

export interface SharedPart {
  readonly type: ReceiverType;
  readonly account: string;
  readonly amountFen: number;
  readonly description: string;
  /** As WeChat reads it; null when none was sent. */
  readonly name: string | null;
  readonly detailId: string;
  readonly createdAtMs: number;
  result: ReceiverResult;
  failReason: string | null;
  finishedAtMs: number | null;
}

/** A sharing, or an unfreeze: both use the same numbers. */
export interface SimulatedSharing {
  readonly kind: 'share' | 'unfreeze';
  readonly outOrderNo: string;
  readonly orderId: string;
  readonly order: SimulatedOrder;
  readonly payment: Payment;
  /** The content that must come again with the same number, decrypted. */
  readonly content: unknown;
  readonly parts: readonly SharedPart[];
  /** True: nothing of the payment stays frozen after it. */
  readonly unfreezes: boolean;
  readonly createdAtMs: number;
}

export interface SimulatedReturn {
  readonly outReturnNo: string;
  readonly returnId: string;
  readonly sharing: SimulatedSharing;
  readonly returnMerchantId: string;
  readonly amountFen: number;
  readonly description: string;
  /** The content that must come again with the same number. */
  readonly content: unknown;
  readonly createdAtMs: number;
  result: ReturnResult;
  failReason: string | null;
  finishedAtMs: number | null;
}

/** Keeps things by the number that their merchant gave them, and by their payment. */
export interface NumberedStore<T> {
  add: (one: T) => void;
  find: (merchantId: string, number: string) => T | null;
  /** Over all merchants: for the control API. */
  findAnywhere: (number: string) => T | null;
  /** The oldest first. */
  of: (payment: Payment) => readonly T[];
  all: () => T[];
  clear: () => void;
}

function createNumberedStore<T>(
  keyOf: (one: T) => { readonly number: string; readonly sharedFrom: Sharable },
): NumberedStore<T> {
  const byNumber = new Map<string, T>();
  const byPayment = new Map<string, T[]>();
  const merchantIds = new Set<string>();
  const numberOf = (one: T): string => {
    const { number, sharedFrom } = keyOf(one);
    return `${sharedFrom.order.merchantId}/${number}`;
  };
  const paymentOf = (one: T): string => keyOf(one).sharedFrom.payment.transactionId;
  const forgetOldest = (): void => {
    const oldest = byNumber.values().next().value;
    if (oldest === undefined) return;
    byNumber.delete(numberOf(oldest));
    const others = byPayment.get(paymentOf(oldest))?.filter((one) => one !== oldest) ?? [];
    if (others.length === 0) byPayment.delete(paymentOf(oldest));
    else byPayment.set(paymentOf(oldest), others);
  };
  const find = (merchantId: string, number: string): T | null =>
    byNumber.get(`${merchantId}/${number}`) ?? null;
  return {
    add: (one) => {
      merchantIds.add(keyOf(one).sharedFrom.order.merchantId);
      byNumber.set(numberOf(one), one);
      byPayment.set(paymentOf(one), [...(byPayment.get(paymentOf(one)) ?? []), one]);
      if (byNumber.size > LIMIT) forgetOldest();
    },
    find,
    findAnywhere: (number) => {
      for (const merchantId of merchantIds) {
        const one = find(merchantId, number);
        if (one !== null) return one;
      }
      return null;
    },
    of: ({ transactionId }) => byPayment.get(transactionId) ?? [],
    all: () => [...byNumber.values()],
    clear: () => {
      byNumber.clear();
      byPayment.clear();
    },
  };
}

export interface SharingStore {
  readonly sharings: NumberedStore<SimulatedSharing>;
  readonly returns: NumberedStore<SimulatedReturn>;
  addReceiver: (merchantId: string, type: ReceiverType, account: string) => void;
  hasReceiver: (merchantId: string, type: ReceiverType, account: string) => boolean;
  clear: () => void;
}

/** The sharings that WeChat knows. Kept in memory, bounded, nothing on disk. */
export function createSharingStore(): SharingStore {
  const receivers = new Set<string>();
  const keyOf = (...parts: string[]): string => parts.join('/');
  const sharings = createNumberedStore<SimulatedSharing>((sharing) => ({
    number: sharing.outOrderNo,
    sharedFrom: sharing,
  }));
  const returns = createNumberedStore<SimulatedReturn>(({ outReturnNo, sharing }) => ({
    number: outReturnNo,
    sharedFrom: sharing,
  }));
  return {
    sharings,
    returns,
    addReceiver: (merchantId, type, account) => receivers.add(keyOf(merchantId, type, account)),
    hasReceiver: (merchantId, type, account) => receivers.has(keyOf(merchantId, type, account)),
    clear: () => {
      receivers.clear();
      sharings.clear();
      returns.clear();
    },
  };
}
