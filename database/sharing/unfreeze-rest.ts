// Adds the unfreeze of what is left of a payment: at its deadline, or after a sharing.
import type { DatabaseContext, Tx } from '../core/context';
import { DUE_GRACE_MS } from '../core/due-times';
import type { LockedOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import { sharingRules } from '../settings/runtime-settings';
import type { LockedSharing } from './lock-sharing';
import { makeOwnNumber } from './make-own-number';

/** The name of an unfreeze on the merchant's bill. */
export const UNFREEZE_TEXT = 'unfreeze';

/**
 * True when the rest of a payment was unfrozen, or is about to be. An unfreeze at the deadline
 * counts from its time on.
 */
export async function isUnfrozen(tx: Tx, transactionKey: string, now: Date): Promise<boolean> {
  const rows = await tx.profitSharing.count({
    where: {
      transactionKey,
      kind: 'unfreeze',
      status: { not: 'closed' },
      NOT: { origin: 'deadline', status: 'pending', notBefore: { gt: now } },
    },
  });
  return rows > 0;
}

/**
 * Adds the unfreeze that a payment frozen for sharing gets in the end. It commits with the change
 * that makes the order paid; until its time comes, nothing reads the row.
 */
export async function addUnfreezeAtDeadline(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  now: Date,
): Promise<void> {
  if (!order.profitSharing) return;
  const { unfreezeAfterMs } = await sharingRules(context, tx);
  const after = `${unfreezeAfterMs} milliseconds`;
  await tx.$executeRaw`
    INSERT INTO profit_sharings (out_order_no, out_trade_no, transaction_key, merchant_id, app_id,
      transaction_id, kind, description, origin, content_hash, not_before, due_at, created_at)
    SELECT 'op_rest_' || right(t.transaction_id, 56), t.order_no, t.id, t.merchant_id,
      ${order.appId}, t.transaction_id, 'unfreeze', ${UNFREEZE_TEXT}, 'deadline', '', d.at, d.at,
      ${now}
    FROM payment_transactions t CROSS JOIN LATERAL (
      SELECT least(coalesce(t.success_time, ${now}), ${now}) + ${after}::interval AS at) d
    WHERE t.order_no = ${order.outTradeNo} AND t.status = 'applied'
    ON CONFLICT DO NOTHING`;
}

/**
 * Adds the unfreeze of what a sharing has left, as the sharing's request wants it.
 * @returns the unfreeze's number; null when the rest is unfrozen already
 */
export async function addUnfreezeOfRest(
  context: DatabaseContext,
  { tx, now }: TxScope,
  sharing: LockedSharing,
): Promise<string | null> {
  if (await isUnfrozen(tx, sharing.transactionKey, now)) return null;
  const outOrderNo = makeOwnNumber(context, ['rest', sharing.outOrderNo]);
  await tx.profitSharing.createMany({
    data: [
      {
        outOrderNo,
        outTradeNo: sharing.outTradeNo,
        transactionKey: sharing.transactionKey,
        merchantId: sharing.merchantId,
        appId: sharing.appId,
        transactionId: sharing.transactionId,
        kind: 'unfreeze',
        description: UNFREEZE_TEXT,
        origin: 'rest',
        contentHash: '',
        notBefore: now,
        dueAt: new Date(now.getTime() + DUE_GRACE_MS),
        createdAt: now,
      },
    ],
  });
  return outOrderNo;
}

/** The rest is unfrozen: the payment's unfreeze at the deadline has nothing to do any more. */
export async function closeUnfreezeAtDeadline(
  { tx, now }: TxScope,
  sharing: LockedSharing,
): Promise<void> {
  await tx.profitSharing.updateMany({
    where: {
      transactionKey: sharing.transactionKey,
      origin: 'deadline',
      status: 'pending',
      outOrderNo: { not: sharing.outOrderNo },
      attempts: { none: {} },
    },
    data: { status: 'closed', closedAt: now, dueAt: null },
  });
}
