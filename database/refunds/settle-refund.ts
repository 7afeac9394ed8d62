// Settles a refund by what WeChat reported: its status, the payment's and the order's amounts.
import {
  refundTransition,
  type RefundEvent,
  type RefundTransition,
} from '../../domain/refunds/refund-state';
import type { DatabaseContext, Tx } from '../core/context';
import { DUE_GRACE_MS, SETTLE_GRACE_MS } from '../core/due-times';
import { changeStatus } from '../core/change-order-status';
import { lockOrder, type LockedOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import type { RefundEventName } from '../../domain/outbound/webhook-events';
import { addCompensations } from '../fulfilment/compensate-effects';
import { releaseStock } from '../fulfilment/reserve-stock';
import { endInterventions } from '../interventions/open-intervention';
import { addRefundDelivery } from '../outbound/add-deliveries';
import { freeRefundHold } from './hold-refund';
import type { LockedRefund } from './lock-refund';
import { openExceededIntervention, openRefundIntervention } from './open-refund-intervention';

/** A report of WeChat about a refund, by response, query or callback. */
export interface RefundReport {
  readonly event: RefundEvent;
  readonly refundId: string | null;
  /**
   * When WeChat is queried again, while it is `processing`; null where the report doesn't decide
   * that.
   */
  readonly nextQueryAt: Date | null;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/**
 * Records what WeChat reported of a locked refund, and all that follows: the success commits with
 * the order's move to `refunded`, a close frees the hold, and an intervention opens where only a
 * person can decide.
 */
export async function settleRefund(
  context: DatabaseContext,
  scope: TxScope,
  refund: LockedRefund,
  report: RefundReport,
): Promise<RefundTransition | { readonly kind: 'exceeded' }> {
  const { tx, now } = scope;
  const { outRefundNo, outTradeNo } = refund;
  const step = refundTransition(refund.status, report.event);
  if (step.kind === 'refused' && isStale(refund, report)) {
    return { kind: 'duplicate', status: refund.status };
  }
  if (step.kind !== 'moved') return step;
  if (step.to === 'succeeded' && (await exceedsPayment(tx, refund))) {
    await openExceededIntervention(scope, refund, report.evidence);
    // A person has to decide: the sweep starts no run for it meanwhile.
    const data = { nextQueryAt: null, dueAt: null };
    await tx.refund.updateMany({ where: { outRefundNo }, data });
    return { kind: 'exceeded' };
  }
  await moveRefund(scope, refund, step.to, report);
  // Any report shows that the sending did not fail; a refund that was abnormal is so no more.
  const reasons = ['refund_failed', 'refund_abnormal', 'surplus_payment'] as const;
  await endInterventions(tx, { outTradeNo, reasons, subjects: [outRefundNo], now });
  if (step.to !== 'closed') await endExplainedHold(scope, refund);
  switch (step.to) {
    case 'succeeded':
      await succeed(context, scope, refund);
      break;
    case 'closed':
      // Where nothing is left of the payment, nobody has to refund the amount again.
      if ((await freeRefundHold(scope, refund)) > 0) {
        await openRefundIntervention(scope, refund, 'refund_closed', report.evidence);
      }
      await reportToShop(context, scope, refund, 'refund.closed');
      break;
    case 'abnormal':
      await openRefundIntervention(scope, refund, 'refund_abnormal', report.evidence);
      await reportToShop(context, scope, refund, 'refund.abnormal');
      break;
    case 'processing':
    case 'pending':
      break;
  }
  return step;
}

/** True when WeChat reports more money as refunded than the payment had. */
async function exceedsPayment(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const { totalFen, refundedFen } = await tx.paymentTransaction.findUniqueOrThrow({
    where: { id: refund.transactionKey },
    select: { totalFen: true, refundedFen: true },
  });
  return refundedFen + refund.amountFen > (totalFen ?? 0);
}

/** Adds the webhook about a refund that ended without success, or needs a person. */
export async function reportToShop(
  context: DatabaseContext,
  { tx, now }: TxScope,
  refund: LockedRefund,
  event: RefundEventName,
): Promise<void> {
  const order = refund.orderNo === null ? null : await lockOrder(tx, refund.orderNo);
  if (!order) return;
  await addRefundDelivery(context, tx, order, { ...refund, event, now });
  const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
  await tx.order.updateMany({ where: { outTradeNo: refund.outTradeNo }, data: { dueAt } });
}

/**
 * Writes the new status, on the condition that the refund still has the one that was decided for.
 */
async function moveRefund(
  { tx, now }: TxScope,
  refund: LockedRefund,
  to: LockedRefund['status'],
  report: RefundReport,
): Promise<void> {
  const { outRefundNo } = refund;
  const isProcessing = to === 'processing';
  const nextQueryAt = isProcessing ? report.nextQueryAt : null;
  const dueAtMs =
    nextQueryAt?.getTime() ?? ((await isTakingBack(tx, outRefundNo)) ? now.getTime() : null);
  const moved = await tx.refund.updateMany({
    where: { outRefundNo, status: refund.status },
    data: {
      status: to,
      nextQueryAt,
      dueAt: dueAtMs === null ? null : new Date(dueAtMs + DUE_GRACE_MS),
      ...(report.refundId === null ? {} : { refundId: report.refundId }),
      ...(refund.acceptedAt === null ? { acceptedAt: now } : {}),
      ...(to === 'succeeded' ? { succeededAt: await nextSuccess(tx, refund, now) } : {}),
      ...(to === 'closed' ? { closedAt: now } : {}),
      // WeChat has the account that an abnormal refund shall go to, or a person has to choose anew.
      ...(isProcessing || to === 'abnormal' ? { abnormalEncrypted: null } : {}),
    },
  });
  if (moved.count !== 1) {
    throw new Error(`Refund ${outRefundNo} left ${refund.status} under its lock`);
  }
}

/**
 * WeChat's trade state REFUND doesn't say how much went back. The intervention about it ends when
 * the refunds that WeChat has accepted add up to the payment; until then a part may be missing in
 * the books, also where the part has a number of ours: it is only used for all that is left.
 */
async function endExplainedHold(
  { tx, now }: TxScope,
  { outTradeNo, transactionId, transactionKey }: LockedRefund,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE interventions SET status = 'resolved', resolved_at = ${now}, resolution = 'moot'
    WHERE out_trade_no = ${outTradeNo} AND status = 'open' AND reason = 'reconciliation'
      AND subject = ${transactionId}
      AND (SELECT sum(amount_fen) FROM refunds WHERE transaction_key = ${transactionKey}::uuid
        AND status IN ('processing', 'abnormal', 'succeeded'))
        >= (SELECT total_fen FROM payment_transactions WHERE id = ${transactionKey}::uuid)`;
}

/**
 * Take-backs that a refund's run began are followed to their end, whatever became of the refund.
 */
async function isTakingBack(tx: Tx, outRefundNo: string): Promise<boolean> {
  const open = { outRefundNo, status: { in: ['pending', 'processing'] } };
  return (await tx.profitSharingReturn.count({ where: open })) > 0;
}

/** Successes of one payment have one order in time, even when workers' clocks differ. */
async function nextSuccess(tx: Tx, refund: LockedRefund, now: Date): Promise<Date> {
  const { _max } = await tx.refund.aggregate({
    where: { transactionKey: refund.transactionKey },
    _max: { succeededAt: true },
  });
  return new Date(Math.max(now.getTime(), (_max.succeededAt?.getTime() ?? 0) + 1));
}

/**
 * True when WeChat reported this before it closed the refund, and it arrives only now. Where WeChat
 * reported nothing before the close, the report contradicts it.
 */
function isStale(refund: LockedRefund, { event }: RefundReport): boolean {
  const wasOpen = event === 'processing' || event === 'abnormal';
  return wasOpen && refund.status === 'closed' && refund.acceptedAt !== null;
}

/** The payer has the money back. Only refunds of the applied payment count for the order (P11). */
async function succeed(
  context: DatabaseContext,
  scope: TxScope,
  refund: LockedRefund,
): Promise<void> {
  const { tx, now } = scope;
  const { outTradeNo, outRefundNo, transactionId } = refund;
  const [payment] = await tx.$queryRaw<{ status: string; isWhole: boolean }[]>`
    UPDATE payment_transactions SET refunded_fen = refunded_fen + ${refund.amountFen}
    WHERE id = ${refund.transactionKey}::uuid
    RETURNING status, refunded_fen = total_fen AS "isWhole"`;
  // A part that was refunded elsewhere decides nothing about the rest.
  if (payment?.isWhole) {
    await endInterventions(tx, {
      outTradeNo,
      reasons: ['surplus_payment'],
      subjects: [transactionId],
      now,
    });
  }
  if (refund.orderNo === null || !payment) return;
  const order = await lockOrder(tx, refund.orderNo);
  if (!order) throw new Error(`Refund ${outRefundNo} belongs to no order`);
  if (payment.status === 'applied') {
    await countForOrder(scope, refund, order, payment.isWhole);
  } else {
    const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
    await tx.order.updateMany({ where: { outTradeNo }, data: { dueAt } });
  }
  const current = await lockOrder(tx, refund.orderNo);
  if (current)
    await addRefundDelivery(context, tx, current, { ...refund, event: 'refund.succeeded', now });
}

/** Adds a refund to its order: the amount, the compensations, and `refunded` once all is back. */
async function countForOrder(
  { tx, now }: TxScope,
  refund: LockedRefund,
  order: LockedOrder,
  isWhole: boolean,
): Promise<void> {
  const { outTradeNo, outRefundNo, restock, revokeCodes } = refund;
  const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
  await tx.order.updateMany({
    where: { outTradeNo },
    data: { refundedFen: { increment: refund.amountFen }, dueAt },
  });
  await addCompensations(tx, order, { outRefundNo, restock, revokeCodes });
  if (!isWhole) return;
  const change = { cause: 'refund_succeeded', now, dueAt };
  const moved = await changeStatus(tx, order, { ...change, event: 'refunded' });
  // The goods don't leave any more: their stock is free again.
  if (moved.kind === 'moved') await releaseStock(tx, order);
}
