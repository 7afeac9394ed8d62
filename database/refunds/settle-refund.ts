import type { InterventionReason } from '../../domain/interventions/reasons';
import {
  refundTransition,
  type RefundEvent,
  type RefundOrigin,
  type RefundTransition,
} from '../../domain/refunds/refund-state';
import { DUE_GRACE_MS, FIRST_SWEEP_MS, SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { addRefundDelivery } from '../outbound/add-deliveries';
import { addCompensations } from '../fulfilment/compensate-effects';
import { cancelEffects, restoreEffects } from '../fulfilment/cancel-effects';
import { endInterventions, openIntervention } from '../interventions/open-intervention';
import { releaseStock } from '../fulfilment/reserve-stock';
import type { RefundRow } from './refund-row';
import { changeStatus } from '../core/change-order-status';
import { lockOrder } from '../core/lock-order';

export interface NewRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  /** Key of the transaction's row. */
  readonly transactionKey: string;
  readonly origin: RefundOrigin;
  /** null: all that is left of the transaction. */
  readonly amountFen: number | null;
  /** Where WeChat tells of it, when the number is not ours. */
  readonly notifyUrl: string;
  readonly replaces: string | null;
  /** Shown to the user. */
  readonly reason?: string | null;
  readonly restock?: boolean;
  readonly revokeCodes?: boolean;
  readonly now: Date;
}

export type RefundHold = 'reserved' | 'exists' | 'nothing_left';

interface LockedTransaction {
  id: string;
  merchant_id: string;
  transaction_id: string;
  order_no: string | null;
  status: string;
  total_fen: number | null;
  held_fen: number;
  currency: string | null;
  notify_url: string | null;
}

/**
 * Makes a refund and holds its amount on its transaction, under the transaction's row lock: whoever asks
 * at once, no more is held than was paid (P11). The order's row is locked by the caller.
 */
export async function holdRefund(tx: Tx, refund: NewRefund): Promise<RefundHold> {
  const { outRefundNo, outTradeNo, now } = refund;
  const [paid] = await tx.$queryRaw<LockedTransaction[]>`
    SELECT t.id::text, t.merchant_id, t.transaction_id, t.order_no, t.status, t.total_fen, t.held_fen,
      t.currency, (SELECT notify_url FROM orders o WHERE o.out_trade_no = t.order_no) AS notify_url
    FROM payment_transactions t WHERE t.id = ${refund.transactionKey}::uuid FOR NO KEY UPDATE OF t`;
  if (!paid) throw new Error(`No transaction ${refund.transactionKey} to refund`);
  const known = await tx.refund.count({ where: { outRefundNo } });
  if (known > 0) return 'exists';
  const left = (paid.total_fen ?? 0) - paid.held_fen;
  const amountFen = refund.amountFen ?? left;
  if (amountFen <= 0 || amountFen > left) return 'nothing_left';
  await tx.refund.createMany({
    data: [
      {
        outRefundNo,
        outTradeNo,
        orderNo: paid.order_no,
        transactionKey: paid.id,
        merchantId: paid.merchant_id,
        transactionId: paid.transaction_id,
        amountFen,
        totalFen: paid.total_fen ?? amountFen,
        currency: paid.currency ?? 'CNY',
        notifyUrl: paid.notify_url ?? refund.notifyUrl,
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
  await tx.paymentTransaction.updateMany({
    where: { id: paid.id },
    data: { heldFen: { increment: amountFen } },
  });
  // Goods don't leave once the whole payment is on its way back.
  if (paid.order_no !== null && paid.status === 'applied' && amountFen === left) {
    await cancelEffects(tx, paid.order_no, now);
  }
  return 'reserved';
}

/** Locks a refund, and the order it belongs to first, so that everybody locks in one order. */
export async function lockRefund(tx: Tx, outRefundNo: string): Promise<RefundRow | null> {
  const found = await tx.refund.findUnique({
    where: { outRefundNo },
    select: { outTradeNo: true },
  });
  if (!found) return null;
  await lockOrder(tx, found.outTradeNo);
  const [row] = await tx.$queryRaw<RefundRow[]>`
    SELECT out_refund_no, out_trade_no, order_no, transaction_key::text, merchant_id, transaction_id,
      amount_fen, total_fen, currency, reason, notify_url, origin, restock, revoke_codes, status, refund_id,
      abnormal_encrypted, next_query_at, accepted_at, short_accepted_at
    FROM refunds WHERE out_refund_no = ${outRefundNo} FOR NO KEY UPDATE`;
  return row ?? null;
}

/** True while a person is asked about this refund: it waits for the answer. */
export async function hasOpenIntervention(tx: Tx, row: RefundRow): Promise<boolean> {
  const open = await tx.intervention.count({
    where: {
      outTradeNo: row.out_trade_no,
      status: 'open',
      OR: [
        {
          reason: { in: ['refund_failed', 'refund_abnormal', 'return_failed'] },
          subject: row.out_refund_no,
        },
        { reason: 'surplus_payment', subject: { in: [row.out_refund_no, row.transaction_id] } },
      ],
    },
  });
  return open > 0;
}

/** What WeChat said of a refund. */
export interface RefundReport {
  readonly event: RefundEvent;
  readonly refundId: string | null;
  /** When WeChat is asked again, while it is `processing`. */
  readonly nextQueryAt: Date | null;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/**
 * Books what WeChat said of a locked refund, and all that follows: the success commits with the order's
 * move to `refunded`, a close frees the hold, and what only a person can decide is asked.
 */
export async function settleRefund(
  context: DatabaseContext,
  tx: Tx,
  refund: RefundRow,
  word: RefundReport,
  now: Date,
): Promise<RefundTransition> {
  const { out_refund_no: outRefundNo } = refund;
  const step = refundTransition(refund.status, word.event);
  if (step.kind === 'refused' && isStale(refund, word)) {
    return { kind: 'duplicate', status: refund.status };
  }
  if (step.kind !== 'moved') return step;
  const waiting = step.to === 'processing';
  const nextQueryAt = waiting ? word.nextQueryAt : null;
  const dueAtMs =
    nextQueryAt?.getTime() ?? ((await isTakingBack(tx, outRefundNo)) ? now.getTime() : null);
  const moved = await tx.refund.updateMany({
    where: { outRefundNo, status: refund.status },
    data: {
      status: step.to,
      nextQueryAt,
      dueAt: dueAtMs === null ? null : new Date(dueAtMs + DUE_GRACE_MS),
      ...(word.refundId === null ? {} : { refundId: word.refundId }),
      ...(refund.accepted_at === null ? { acceptedAt: now } : {}),
      ...(step.to === 'succeeded' ? { succeededAt: await nextSuccess(tx, refund, now) } : {}),
      ...(step.to === 'closed' ? { closedAt: now } : {}),
      // Where an abnormal refund shall go has been said to WeChat, or is to be said anew.
      ...(waiting || step.to === 'abnormal' ? { abnormalEncrypted: null } : {}),
    },
  });
  if (moved.count !== 1)
    throw new Error(`Refund ${outRefundNo} left ${refund.status} under its lock`);
  // Whatever WeChat says answers whether the sending failed; what was abnormal is so no more.
  await endInterventions(tx, {
    outTradeNo: refund.out_trade_no,
    reasons: ['refund_failed', 'refund_abnormal', 'surplus_payment'],
    subjects: [outRefundNo],
    now,
  });
  switch (step.to) {
    case 'succeeded':
      await succeed(context, tx, refund, now);
      break;
    case 'closed':
      await freeHold(tx, refund, now);
      await ask(tx, refund, 'refund_closed', word.evidence, now);
      break;
    case 'abnormal':
      await ask(tx, refund, 'refund_abnormal', word.evidence, now);
      break;
    case 'processing':
    case 'pending':
      break;
  }
  return step;
}

/** What its run was taking back of shared money is followed to the end, whatever became of the refund. */
async function isTakingBack(tx: Tx, outRefundNo: string): Promise<boolean> {
  const open = { outRefundNo, status: { in: ['pending', 'processing'] } };
  return (await tx.profitSharingReturn.count({ where: open })) > 0;
}

/** Successes of one payment have an order of their own, whatever the clocks of those who book them say. */
async function nextSuccess(tx: Tx, refund: RefundRow, now: Date): Promise<Date> {
  const { _max } = await tx.refund.aggregate({
    where: { transactionKey: refund.transaction_key },
    _max: { succeededAt: true },
  });
  return new Date(Math.max(now.getTime(), (_max.succeededAt?.getTime() ?? 0) + 1));
}

/** Said before WeChat closed it, heard after that. Where nothing was said before the close, it is news. */
function isStale(refund: RefundRow, { event }: RefundReport): boolean {
  const wasOpen = event === 'processing' || event === 'abnormal';
  return wasOpen && refund.status === 'closed' && refund.accepted_at !== null;
}

/** Where an abnormal refund should have gone was no good: a person says where else. */
export async function askWhereElse(
  tx: Tx,
  refund: RefundRow,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  await tx.refund.updateMany({
    where: { outRefundNo: refund.out_refund_no, status: 'abnormal' },
    data: { abnormalEncrypted: null, nextQueryAt: null, dueAt: null },
  });
  await ask(tx, refund, 'refund_abnormal', evidence, now);
}

async function ask(
  tx: Tx,
  refund: RefundRow,
  reason: InterventionReason,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: refund.out_trade_no,
    ours: refund.order_no !== null,
    reason,
    subject: refund.out_refund_no,
    evidence: {
      out_refund_no: refund.out_refund_no,
      transaction_id: refund.transaction_id,
      amount: { refund: refund.amount_fen, total: refund.total_fen, currency: refund.currency },
      ...evidence,
    },
    amountFen: refund.amount_fen,
    now,
  });
}

/** Frees what a refund held: it can be refunded anew, and the goods may go out again. */
export async function freeHold(tx: Tx, refund: RefundRow, now: Date): Promise<void> {
  await tx.paymentTransaction.updateMany({
    where: { id: refund.transaction_key },
    data: { heldFen: { decrement: refund.amount_fen } },
  });
  if (refund.order_no !== null && (await isApplied(tx, refund))) {
    await restoreEffects(tx, refund.order_no, now);
  }
}

async function isApplied(tx: Tx, refund: RefundRow): Promise<boolean> {
  const applied = { id: refund.transaction_key, status: 'applied' };
  return (await tx.paymentTransaction.count({ where: applied })) === 1;
}

/** The money is back with the payer. Only refunds of the applied transaction count for the order (P11). */
async function succeed(
  context: DatabaseContext,
  tx: Tx,
  refund: RefundRow,
  now: Date,
): Promise<void> {
  const { out_trade_no: outTradeNo, out_refund_no: subject } = refund;
  const [back] = await tx.$queryRaw<{ status: string; whole: boolean }[]>`
    UPDATE payment_transactions SET refunded_fen = refunded_fen + ${refund.amount_fen}
    WHERE id = ${refund.transaction_key}::uuid RETURNING status, refunded_fen = total_fen AS whole`;
  await endInterventions(tx, {
    outTradeNo,
    reasons: ['refund_failed', 'refund_abnormal', 'surplus_payment'],
    subjects: [subject],
    now,
  });
  // A part that somebody gave back says nothing about the rest.
  if (back?.whole)
    await endInterventions(tx, {
      outTradeNo,
      reasons: ['surplus_payment'],
      subjects: [refund.transaction_id],
      now,
    });
  if (refund.order_no === null || !back) return;
  const order = await lockOrder(tx, refund.order_no);
  if (!order) throw new Error(`Refund ${subject} belongs to no order`);
  const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
  if (back.status === 'applied') {
    await tx.order.updateMany({
      where: { outTradeNo },
      data: { refundedFen: { increment: refund.amount_fen }, dueAt },
    });
    const { restock, revoke_codes: revokeCodes } = refund;
    await addCompensations(tx, order, { outRefundNo: subject, restock, revokeCodes });
    if (back.whole) {
      const change = { cause: 'refund_succeeded', now, dueAt };
      const moved = await changeStatus(tx, order, { ...change, event: 'refunded' });
      // What was reserved for goods that don't leave any more is free again.
      if (moved.kind === 'moved') await releaseStock(tx, order);
    }
  } else {
    await tx.order.updateMany({ where: { outTradeNo }, data: { dueAt } });
  }
  const current = await lockOrder(tx, refund.order_no);
  if (!current) return;
  const { transaction_id: transactionId, amount_fen: amountFen } = refund;
  const delivered = { outRefundNo: subject, transactionId, amountFen, now };
  await addRefundDelivery(context, tx, current, delivered);
}
