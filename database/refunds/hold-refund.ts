// Holds a refund's amount on its payment, and frees it again.
import { fen, type Fen } from '../../domain/money';
import type { RefundOrigin } from '../../domain/refunds/refund-state';
import type { Tx } from '../core/context';
import { FIRST_SWEEP_MS } from '../core/due-times';
import { lockTransaction, type LockedTransaction } from '../core/lock-transaction';
import type { TxScope } from '../core/tx-scope';
import { cancelEffects, restoreEffects } from '../fulfilment/cancel-effects';
import type { LockedRefund } from './lock-refund';

export interface NewRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  /** Key of the payment's row. */
  readonly transactionKey: string;
  readonly origin: RefundOrigin;
  /** null: all that is left of the payment. */
  readonly amountFen: Fen | null;
  /** Where WeChat sends its callbacks when the payment belongs to no order of ours. */
  readonly notifyUrl: string;
  /** Number of the closed refund whose place this one takes; null when it replaces none. */
  readonly replaces: string | null;
  /** WeChat shows it to the payer. */
  readonly reason?: string | null;
  readonly restock?: boolean;
  readonly revokeCodes?: boolean;
  readonly now: Date;
}

/** `exists`: the number is taken; `nothing_left`: the payment has less left than the amount. */
export type RefundHold = 'held' | 'exists' | 'nothing_left';

/**
 * Makes a refund and holds its amount on its payment, under the lock of the payment's row: however
 * many refunds are requested at once, no more is held than was paid (P11). The caller has locked
 * the order.
 * @throws Error when there is no such payment
 */
export async function holdRefund(tx: Tx, refund: NewRefund): Promise<RefundHold> {
  const { outRefundNo, now } = refund;
  const paid = await lockTransaction(tx, refund.transactionKey);
  if (!paid) throw new Error(`No transaction ${refund.transactionKey} to refund`);
  const known = await tx.refund.count({ where: { outRefundNo } });
  if (known > 0) return 'exists';
  const leftFen = (paid.totalFen ?? 0) - paid.heldFen;
  const amountFen = refund.amountFen ?? leftFen;
  if (amountFen <= 0 || amountFen > leftFen) return 'nothing_left';
  await insertRefund(tx, paid, { ...refund, amountFen: fen(amountFen) });
  await tx.paymentTransaction.updateMany({
    where: { id: paid.id },
    data: { heldFen: { increment: amountFen } },
  });
  // Goods don't leave once the whole payment is on its way back.
  if (paid.orderNo !== null && paid.status === 'applied' && amountFen === leftFen) {
    await cancelEffects(tx, paid.orderNo, now);
  }
  return 'held';
}

async function insertRefund(
  tx: Tx,
  paid: LockedTransaction,
  refund: NewRefund & { readonly amountFen: Fen },
): Promise<void> {
  const { amountFen, now } = refund;
  await tx.refund.createMany({
    data: [
      {
        outRefundNo: refund.outRefundNo,
        outTradeNo: refund.outTradeNo,
        orderNo: paid.orderNo,
        transactionKey: paid.id,
        merchantId: paid.merchantId,
        transactionId: paid.transactionId,
        amountFen,
        totalFen: paid.totalFen ?? amountFen,
        currency: paid.currency ?? 'CNY',
        notifyUrl: paid.notifyUrl ?? refund.notifyUrl,
        origin: refund.origin,
        replaces: refund.replaces,
        reason: refund.reason ?? null,
        restock: refund.restock ?? false,
        revokeCodes: refund.revokeCodes ?? false,
        dueAt: new Date(now.getTime() + FIRST_SWEEP_MS),
        createdAt: now,
      },
    ],
  });
}

/** Frees the amount of a refund that has ended without success, and lets its goods leave again. */
export async function freeRefundHold({ tx, now }: TxScope, refund: LockedRefund): Promise<void> {
  await tx.paymentTransaction.updateMany({
    where: { id: refund.transactionKey },
    data: { heldFen: { decrement: refund.amountFen } },
  });
  if (refund.orderNo !== null && (await hasPaidItsOrder(tx, refund))) {
    await restoreEffects(tx, refund.orderNo, now);
  }
}

async function hasPaidItsOrder(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const applied = { id: refund.transactionKey, status: 'applied' };
  return (await tx.paymentTransaction.count({ where: applied })) === 1;
}
