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
  /**
   * WeChat says that the money went back: it is held even where the payment no longer covers all
   * of its refunds. Those of ours give way then.
   */
  readonly isFact?: boolean;
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
  if (amountFen <= 0 || (amountFen > leftFen && !refund.isFact)) return 'nothing_left';
  await insertRefund(tx, paid, { ...refund, amountFen: fen(amountFen) });
  const { leftFen: stillLeftFen } = await writeHeld(tx, paid.id);
  // Goods don't leave once the whole payment is on its way back.
  if (paid.orderNo !== null && paid.status === 'applied' && stillLeftFen === 0) {
    await cancelEffects(tx, paid.orderNo, now);
  }
  return 'held';
}

/**
 * Writes how much of a payment its refunds hold: at most all of it, also while a refund made
 * elsewhere and ours add up to more.
 * @returns the fen that are left of the payment
 */
async function writeHeld(tx: Tx, transactionKey: string): Promise<{ readonly leftFen: number }> {
  const [row] = await tx.$queryRaw<{ leftFen: number }[]>`
    UPDATE payment_transactions SET held_fen = least(coalesce(total_fen, 0), (
      SELECT coalesce(sum(amount_fen), 0) FROM refunds
      WHERE transaction_key = ${transactionKey}::uuid AND status <> 'closed'))
    WHERE id = ${transactionKey}::uuid
    RETURNING coalesce(total_fen, 0) - held_fen AS "leftFen"`;
  if (!row) throw new Error(`Transaction ${transactionKey} is gone`);
  return row;
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

/**
 * Frees the amount of a refund that is closed, and lets its goods leave again where a part of the
 * payment stays with the shop.
 * @returns the fen that are left of the payment
 */
export async function freeRefundHold({ tx, now }: TxScope, refund: LockedRefund): Promise<number> {
  const { leftFen } = await writeHeld(tx, refund.transactionKey);
  if (leftFen > 0 && refund.orderNo !== null && (await hasPaidItsOrder(tx, refund))) {
    await restoreEffects(tx, refund.orderNo, now);
  }
  return leftFen;
}

async function hasPaidItsOrder(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const applied = { id: refund.transactionKey, status: 'applied' };
  return (await tx.paymentTransaction.count({ where: applied })) === 1;
}
