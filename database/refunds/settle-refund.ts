import type { InterventionReason } from '../../domain/interventions/reasons';
import {
  refundTransition,
  type RefundEvent,
  type RefundOrigin,
  type RefundTransition,
} from '../../domain/refunds/refund-state';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { addRefundDelivery } from '../outbound/write-deliveries';
import { addCompensations } from '../fulfilment/compensations';
import { cancelEffects, restoreEffects } from '../fulfilment/effect-holds';
import { endInterventions, openIntervention } from '../interventions/open-intervention';
import { releaseStock } from '../fulfilment/stock-reservations';
import type { LockedRefund } from './lock-refund';
import { changeStatus, lockOrder } from '../core/order-row';

/** A refund's run is started at once; should that get lost, it is looked for after this. */
const START_GRACE_MS = 15_000;

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
  merchantId: string;
  transactionId: string;
  orderNo: string | null;
  status: string;
  totalFen: number | null;
  heldFen: number;
  currency: string | null;
  notifyUrl: string | null;
}

/**
 * Makes a refund and holds its amount on its transaction, under the transaction's row lock: whoever asks
 * at once, no more is held than was paid (P11). The order's row is locked by the caller.
 */
export async function holdRefund(tx: Tx, refund: NewRefund): Promise<RefundHold> {
  const { outRefundNo, outTradeNo, now } = refund;
  const [paid] = await tx.$queryRaw<LockedTransaction[]>`
    SELECT t.id::text, t.merchant_id AS "merchantId", t.transaction_id AS "transactionId",
      t.order_no AS "orderNo", t.status, t.total_fen AS "totalFen", t.held_fen AS "heldFen", t.currency,
      (SELECT notify_url FROM orders o WHERE o.out_trade_no = t.order_no) AS "notifyUrl"
    FROM payment_transactions t WHERE t.id = ${refund.transactionKey}::uuid FOR NO KEY UPDATE OF t`;
  if (!paid) throw new Error(`No transaction ${refund.transactionKey} to refund`);
  const known = await tx.refund.count({ where: { outRefundNo } });
  if (known > 0) return 'exists';
  const left = (paid.totalFen ?? 0) - paid.heldFen;
  const amountFen = refund.amountFen ?? left;
  if (amountFen <= 0 || amountFen > left) return 'nothing_left';
  await tx.refund.createMany({
    data: [
      {
        outRefundNo,
        outTradeNo,
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
        dueAt: new Date(now.getTime() + START_GRACE_MS),
        createdAt: now,
      },
    ],
  });
  await tx.paymentTransaction.updateMany({
    where: { id: paid.id },
    data: { heldFen: { increment: amountFen } },
  });
  // Goods don't leave once the whole payment is on its way back.
  if (paid.orderNo !== null && paid.status === 'applied' && amountFen === left) {
    await cancelEffects(tx, paid.orderNo, now);
  }
  return 'reserved';
}

/** Locks a refund, and the order it belongs to first, so that everybody locks in one order. */
export async function lockRefund(tx: Tx, outRefundNo: string): Promise<LockedRefund | null> {
  const found = await tx.refund.findUnique({
    where: { outRefundNo },
    select: { outTradeNo: true },
  });
  if (!found) return null;
  await lockOrder(tx, found.outTradeNo);
  const [row] = await tx.$queryRaw<LockedRefund[]>`
    SELECT out_refund_no AS "outRefundNo", out_trade_no AS "outTradeNo", order_no AS "orderNo",
      transaction_key::text AS "transactionKey", merchant_id AS "merchantId",
      transaction_id AS "transactionId", amount_fen AS "amountFen", total_fen AS "totalFen", currency,
      reason, notify_url AS "notifyUrl", origin, restock, revoke_codes AS "revokeCodes", status,
      refund_id AS "refundId", abnormal_encrypted AS "abnormalEncrypted",
      next_query_at AS "nextQueryAt", accepted_at AS "acceptedAt",
      short_accepted_at AS "shortAcceptedAt"
    FROM refunds WHERE out_refund_no = ${outRefundNo} FOR NO KEY UPDATE`;
  return row ?? null;
}

/** True while a person is asked about this refund: it waits for the answer. */
export async function hasOpenIntervention(tx: Tx, row: LockedRefund): Promise<boolean> {
  const open = await tx.intervention.count({
    where: {
      outTradeNo: row.outTradeNo,
      status: 'open',
      OR: [
        {
          reason: { in: ['refund_failed', 'refund_abnormal', 'return_failed'] },
          subject: row.outRefundNo,
        },
        { reason: 'surplus_payment', subject: { in: [row.outRefundNo, row.transactionId] } },
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

/** A query that should have come is looked for after this. */
const QUERY_GRACE_MS = 15_000;

/**
 * Books what WeChat said of a locked refund, and all that follows: the success commits with the order's
 * move to `refunded`, a close frees the hold, and what only a person can decide is asked.
 */
export async function settleRefund(
  context: DatabaseContext,
  tx: Tx,
  refund: LockedRefund,
  word: RefundReport,
  now: Date,
): Promise<RefundTransition> {
  const { outRefundNo } = refund;
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
      dueAt: dueAtMs === null ? null : new Date(dueAtMs + QUERY_GRACE_MS),
      ...(word.refundId === null ? {} : { refundId: word.refundId }),
      ...(refund.acceptedAt === null ? { acceptedAt: now } : {}),
      ...(step.to === 'succeeded' ? { succeededAt: await nextSuccess(tx, refund, now) } : {}),
      ...(step.to === 'closed' ? { closedAt: now } : {}),
      // Where an abnormal refund shall go has been said to WeChat, or is to be said anew.
      ...(waiting || step.to === 'abnormal' ? { abnormalEncrypted: null } : {}),
    },
  });
  if (moved.count !== 1)
    throw new Error(`Refund ${outRefundNo} left ${refund.status} under its lock`);
  // Whatever WeChat says answers whether the sending failed; what was abnormal is so no more.
  await endInterventions(
    tx,
    refund.outTradeNo,
    ['refund_failed', 'refund_abnormal', 'surplus_payment'],
    now,
    outRefundNo,
  );
  switch (step.to) {
    case 'succeeded':
      await succeed(context, tx, refund, now);
      break;
    case 'closed':
      await freeRefundHold(tx, refund, now);
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
async function nextSuccess(tx: Tx, refund: LockedRefund, now: Date): Promise<Date> {
  const { _max } = await tx.refund.aggregate({
    where: { transactionKey: refund.transactionKey },
    _max: { succeededAt: true },
  });
  return new Date(Math.max(now.getTime(), (_max.succeededAt?.getTime() ?? 0) + 1));
}

/** Said before WeChat closed it, heard after that. Where nothing was said before the close, it is news. */
function isStale(refund: LockedRefund, { event }: RefundReport): boolean {
  const wasOpen = event === 'processing' || event === 'abnormal';
  return wasOpen && refund.status === 'closed' && refund.acceptedAt !== null;
}

/** Where an abnormal refund should have gone was no good: a person says where else. */
export async function openRedirectIntervention(
  tx: Tx,
  refund: LockedRefund,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  await tx.refund.updateMany({
    where: { outRefundNo: refund.outRefundNo, status: 'abnormal' },
    data: { abnormalEncrypted: null, nextQueryAt: null, dueAt: null },
  });
  await ask(tx, refund, 'refund_abnormal', evidence, now);
}

async function ask(
  tx: Tx,
  refund: LockedRefund,
  reason: InterventionReason,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason,
    subject: refund.outRefundNo,
    evidence: {
      out_refund_no: refund.outRefundNo,
      transaction_id: refund.transactionId,
      amount: { refund: refund.amountFen, total: refund.totalFen, currency: refund.currency },
      ...evidence,
    },
    amountFen: refund.amountFen,
    now,
  });
}

/** Frees what a refund held: it can be refunded anew, and the goods may go out again. */
export async function freeRefundHold(tx: Tx, refund: LockedRefund, now: Date): Promise<void> {
  await tx.paymentTransaction.updateMany({
    where: { id: refund.transactionKey },
    data: { heldFen: { decrement: refund.amountFen } },
  });
  if (refund.orderNo !== null && (await isApplied(tx, refund))) {
    await restoreEffects(tx, refund.orderNo, now);
  }
}

async function isApplied(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const applied = { id: refund.transactionKey, status: 'applied' };
  return (await tx.paymentTransaction.count({ where: applied })) === 1;
}

/** The money is back with the payer. Only refunds of the applied transaction count for the order (P11). */
async function succeed(
  context: DatabaseContext,
  tx: Tx,
  refund: LockedRefund,
  now: Date,
): Promise<void> {
  const { outTradeNo, outRefundNo: subject } = refund;
  const [back] = await tx.$queryRaw<{ status: string; whole: boolean }[]>`
    UPDATE payment_transactions SET refunded_fen = refunded_fen + ${refund.amountFen}
    WHERE id = ${refund.transactionKey}::uuid RETURNING status, refunded_fen = total_fen AS whole`;
  await endInterventions(
    tx,
    outTradeNo,
    ['refund_failed', 'refund_abnormal', 'surplus_payment'],
    now,
    subject,
  );
  // A part that somebody gave back says nothing about the rest.
  if (back?.whole)
    await endInterventions(tx, outTradeNo, ['surplus_payment'], now, refund.transactionId);
  if (refund.orderNo === null || !back) return;
  const order = await lockOrder(tx, refund.orderNo);
  if (!order) throw new Error(`Refund ${subject} belongs to no order`);
  const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
  if (back.status === 'applied') {
    await tx.order.updateMany({
      where: { outTradeNo },
      data: { refundedFen: { increment: refund.amountFen }, dueAt },
    });
    const { restock, revokeCodes } = refund;
    await addCompensations(tx, outTradeNo, { outRefundNo: subject, restock, revokeCodes });
    if (back.whole) {
      const { status } = order;
      const change = { outTradeNo, status, cause: 'refund_succeeded', now, dueAt };
      const moved = await changeStatus(tx, { ...change, event: 'refunded' });
      // What was reserved for goods that don't leave any more is free again.
      if (moved.kind === 'moved') await releaseStock(tx, outTradeNo);
    }
  } else {
    await tx.order.updateMany({ where: { outTradeNo }, data: { dueAt } });
  }
  const current = await lockOrder(tx, refund.orderNo);
  if (current) await addRefundDelivery(context, tx, current, refund, now);
}
