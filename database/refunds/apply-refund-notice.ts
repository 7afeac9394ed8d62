// Applies a callback about a refund, also about one that was made outside of Oncepay.
import { fen } from '../../domain/money';
import { canBePaid } from '../../domain/orders/order-state';
import type { RefundNotice } from '../../domain/payments/notices';
import { refundEvent, type RefundEvent } from '../../domain/refunds/refund-state';
import type { DatabaseContext } from '../core/context';
import { currentOrder, type InboxRow, type Scope, type Verdict } from '../core/scope';
import { endInterventions } from '../interventions/open-intervention';
import { closeLocked } from '../orders/close-locked-order';
import { holdRefund } from './hold-refund';
import { lockRefundOf, type LockedRefund } from './lock-refund';
import { giveWay } from './give-way';
import { openExceededIntervention, openNoticeIntervention } from './open-refund-intervention';
import { settleRefund } from './settle-refund';

/**
 * Records a refund that WeChat reported. A refund that was made outside of Oncepay is recorded
 * like ours where it fits the payment. A refund that doesn't fit has moved money that Oncepay
 * can't account for: it opens an intervention.
 */
export async function applyRefundNotice(
  context: DatabaseContext,
  scope: Scope,
  notice: RefundNotice,
  row: InboxRow,
): Promise<Verdict> {
  const { outRefundNo } = notice;
  if (outRefundNo === null) return openNoticeIntervention(scope, notice, row);
  const known = await lockRefundOf(scope.tx, scope.outTradeNo, outRefundNo);
  if (known === 'of_another_order') return openNoticeIntervention(scope, notice, row);
  const named = { ...notice, outRefundNo };
  if (!known && (await openIfExceeding(scope, named, row))) return 'conflict';
  const refund = known ?? (await recordExternalRefund(context, scope, named));
  const event = refundEvent(notice.refundStatus);
  if (!refund) {
    // A refund that Oncepay doesn't have, and that WeChat did not carry out, moved no money.
    return event === 'closed' ? 'ignored' : openNoticeIntervention(scope, notice, row);
  }
  if (!fits(refund, notice) || event === null) return openNoticeIntervention(scope, notice, row);
  // Only a response or a query plans the next query.
  if (event === 'processing') return 'ignored';
  const step = await settleRefund(context, scope, refund, {
    event,
    refundId: notice.refundId,
    nextQueryAt: null,
    evidence: { source: row.source, notification_id: row.notificationId },
  });
  if (step.kind === 'refused') return openNoticeIntervention(scope, notice, row);
  if (step.kind === 'exceeded') return 'conflict';
  if (step.kind === 'duplicate') return 'already_applied';
  scope.changed = true;
  scope.refunds.add(refund.outRefundNo);
  return 'applied';
}

/**
 * Opens an intervention when WeChat reports a refund made elsewhere by which more went back than
 * was paid. Our own refunds are compared when they are settled.
 */
async function openIfExceeding(
  scope: Scope,
  notice: RefundNotice & { readonly outRefundNo: string },
  row: InboxRow,
): Promise<boolean> {
  const { outTradeNo, tx, order } = scope;
  const { transactionId, refundFen, outRefundNo } = notice;
  if (transactionId === null || refundFen === null) return false;
  if (!EXTERNAL_EVENTS.includes(refundEvent(notice.refundStatus))) return false;
  const paid = await tx.paymentTransaction.findFirst({
    where: { outTradeNo, transactionId, totalFen: { not: null } },
    select: { totalFen: true, refundedFen: true },
  });
  const totalFen = paid?.totalFen ?? 0;
  // One refund of more than the payment does not fit it at all: see recordExternalRefund.
  if (!paid || refundFen > totalFen || paid.refundedFen + refundFen <= totalFen) return false;
  const orderNo = (order?.outTradeNo ?? null) as LockedRefund['orderNo'];
  const amounts = { amountFen: fen(refundFen), totalFen: fen(totalFen) };
  const refund = { outTradeNo, orderNo, outRefundNo, transactionId, ...amounts };
  const evidence = { source: row.source, notification_id: row.notificationId };
  await openExceededIntervention(scope, refund, { ...evidence, refunded: paid.refundedFen });
  return true;
}

/** True when all that the notice names is the refund's, or its payment's. */
function fits(refund: LockedRefund, notice: RefundNotice): boolean {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [notice.refundFen, refund.amountFen],
    [notice.totalFen, refund.totalFen],
    [notice.transactionId, refund.transactionId],
    [notice.merchantId, refund.merchantId],
  ];
  return pairs.every(([reported, ours]) => reported === null || reported === ours);
}

/**
 * Applies refunds again that WeChat reported before their payment was recorded, now that it is. An
 * intervention may be open about them, or they came in the same batch. A notice that does not fit
 * now either opens an intervention.
 */
export async function applyReportedRefunds(
  context: DatabaseContext,
  scope: Scope,
  transactionId: string | null,
): Promise<void> {
  scope.paymentApplied = true;
  const fitting = scope.reportedRefunds.filter(
    ({ notice }) => notice.transactionId !== null && notice.transactionId === transactionId,
  );
  scope.refundsLeft ||= fitting.length > MAX_AT_ONCE;
  for (const { row, notice } of fitting.slice(0, MAX_AT_ONCE)) {
    await currentOrder(scope);
    scope.verdicts.set(row.id, await applyRefundNotice(context, scope, notice, row));
  }
}

/** Refunds that are applied together with their payment; the next transactions apply the others. */
const MAX_AT_ONCE = 10;

/** States in which the money of a refund made elsewhere is gone, or on its way. */
const EXTERNAL_EVENTS: readonly (RefundEvent | null)[] = ['succeeded', 'abnormal'];

/**
 * Records a refund that was made in WeChat's merchant platform, or by another program, and that
 * names a payment of this order number: it holds its amount from now on.
 * @returns null when it doesn't fit
 */
async function recordExternalRefund(
  context: DatabaseContext,
  scope: Scope,
  notice: RefundNotice & { readonly outRefundNo: string },
): Promise<LockedRefund | null> {
  const { tx, outTradeNo, now } = scope;
  const { outRefundNo, transactionId, refundFen } = notice;
  if (transactionId === null || refundFen === null || refundFen === 0) return null;
  if (!EXTERNAL_EVENTS.includes(refundEvent(notice.refundStatus))) return null;
  const paid = await tx.paymentTransaction.findFirst({
    where: { outTradeNo, transactionId },
    select: { id: true, totalFen: true, merchantId: true },
  });
  if (!paid) return null;
  if (notice.totalFen !== null && notice.totalFen !== paid.totalFen) return null;
  if (refundFen > (paid.totalFen ?? 0)) return null;
  if (notice.merchantId !== null && notice.merchantId !== paid.merchantId) return null;
  const hold = await holdRefund(tx, {
    outRefundNo,
    outTradeNo,
    transactionKey: paid.id,
    origin: 'external',
    isFact: true,
    amountFen: fen(refundFen),
    notifyUrl: context.notifyUrl,
    replaces: null,
    now,
  });
  if (hold !== 'held') return null;
  // It has a booking now. The intervention about the payment ends when its refunds add up to it.
  await endInterventions(tx, {
    outTradeNo,
    reasons: ['reconciliation'],
    subjects: [outRefundNo],
    now,
  });
  await giveWay(context, scope, paid.id);
  await endIfNothingLeft(context, scope, paid.id, transactionId);
  scope.changed = true;
  const held = await lockRefundOf(tx, outTradeNo, outRefundNo);
  return held === 'of_another_order' ? null : held;
}

/**
 * Ends the interventions about a payment that is refunded whole: no person has to decide about it
 * any more. An order whose payment did not match closes then, as after the resolution `refund`.
 */
async function endIfNothingLeft(
  context: DatabaseContext,
  scope: Scope,
  transactionKey: string,
  transactionId: string,
): Promise<void> {
  const { tx, outTradeNo, now, order } = scope;
  const paid = await tx.paymentTransaction.findUniqueOrThrow({
    where: { id: transactionKey },
    select: { totalFen: true, heldFen: true },
  });
  if (paid.heldFen < (paid.totalFen ?? 0)) return;
  const mismatch = { outTradeNo, subject: transactionId, reason: 'amount_mismatch' };
  const mismatched = await tx.intervention.count({ where: { ...mismatch, status: 'open' } });
  const ended = ['amount_mismatch', 'late_payment', 'unknown_order'] as const;
  await endInterventions(tx, { outTradeNo, reasons: ended, subjects: [transactionId], now });
  if (mismatched > 0 && order && canBePaid(order.status)) {
    await closeLocked(context, tx, order, { cause: 'mismatch_refunded', now });
    scope.changed = true;
  }
}
