import type { RefundNotice } from '../../domain/payments/notices';
import { refundEvent, type RefundEvent } from '../../domain/refunds/refund-state';
import { canBePaid } from '../../domain/orders/order-state';
import { currentOrder } from '../core/scope';
import type { DatabaseContext } from '../core/context';
import { endInterventions } from '../interventions/open-intervention';
import { openNoticeIntervention } from './open-refund-intervention';
import type { InboxRow, Scope, Verdict } from '../core/scope';
import { closeLocked } from '../orders/close-locked-order';
import type { LockedRefund } from './lock-refund';
import { lockRefund, holdRefund, settleRefund } from './settle-refund';

/**
 * Books what WeChat told of a refund. One that somebody made outside Oncepay is booked like ours where it
 * fits the payment; whatever doesn't fit moved money that nobody here knows of: a person has to know.
 */
export async function applyRefundNotice(
  context: DatabaseContext,
  scope: Scope,
  notice: RefundNotice,
  row: InboxRow,
): Promise<Verdict> {
  const { tx, now, outTradeNo } = scope;
  const refund =
    (await lockRefund(tx, notice.outRefundNo)) ?? (await bookExternal(context, scope, notice));
  if (refund?.outTradeNo !== outTradeNo) {
    // One that nobody here made, and that WeChat did not carry out, moved nothing.
    if (!refund && refundEvent(notice.refundStatus) === 'closed') return 'ignored';
    return openNoticeIntervention(scope, notice, row);
  }
  if (!isOf(refund, notice)) return openNoticeIntervention(scope, notice, row);
  const event = refundEvent(notice.refundStatus);
  if (event === null) return openNoticeIntervention(scope, notice, row);
  // Only an answer of the API says when to ask next.
  if (event === 'processing') return 'ignored';
  const word = {
    event,
    refundId: notice.refundId,
    nextQueryAt: null,
    evidence: { source: row.source, notification_id: row.notificationId },
  };
  const step = await settleRefund(context, tx, refund, word, now);
  if (step.kind === 'refused') return openNoticeIntervention(scope, notice, row);
  if (step.kind === 'duplicate') return 'already_applied';
  scope.changed = true;
  scope.refunds.add(refund.outRefundNo);
  return 'applied';
}

/** What the notice names is the refund's, or its payment's. */
function isOf(refund: LockedRefund, notice: RefundNotice): boolean {
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [notice.refundFen, refund.amountFen],
    [notice.totalFen, refund.totalFen],
    [notice.transactionId, refund.transactionId],
    [notice.merchantId, refund.merchantId],
  ];
  return pairs.every(([seen, expected]) => seen === null || seen === expected);
}

/**
 * A payment is booked of which refunds were told before: they are judged with it, whether a person was asked
 * about them, or they came in one batch. One that doesn't fit now either is asked about.
 */
export async function applyReportedRefunds(
  context: DatabaseContext,
  scope: Scope,
  transactionId: string | null,
): Promise<void> {
  for (const { row, notice } of scope.reportedRefunds) {
    if (notice.transactionId === null || notice.transactionId !== transactionId) continue;
    await currentOrder(scope);
    scope.verdicts.set(row.id, await applyRefundNotice(context, scope, notice, row));
  }
}

/** States in which money of a refund made elsewhere is gone, or on its way. */
const EXTERNAL_EVENTS: readonly (RefundEvent | null)[] = ['succeeded', 'abnormal'];

/**
 * A refund made in WeChat's merchant platform, or by another program, that names a payment of this number:
 * it holds its amount from here on.
 * @returns null when it doesn't fit
 */
async function bookExternal(
  context: DatabaseContext,
  scope: Scope,
  notice: RefundNotice,
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
  if (notice.merchantId !== null && notice.merchantId !== paid.merchantId) return null;
  const reserved = await holdRefund(tx, {
    outRefundNo,
    outTradeNo,
    transactionKey: paid.id,
    origin: 'external',
    amountFen: refundFen,
    notifyUrl: context.notifyUrl,
    replaces: null,
    now,
  });
  if (reserved !== 'reserved') return null;
  // It explains what was asked about this payment.
  await endInterventions(tx, outTradeNo, ['reconciliation'], now, [transactionId, outRefundNo]);
  await endIfNothingLeft(context, scope, paid.id, transactionId);
  return lockRefund(tx, outRefundNo);
}

/** Nobody has to decide any more about a payment that goes back whole; what follows a `refund` follows here. */
async function endIfNothingLeft(
  context: DatabaseContext,
  scope: Scope,
  key: string,
  transactionId: string,
): Promise<void> {
  const { tx, outTradeNo, now, order } = scope;
  const paid = await tx.paymentTransaction.findUniqueOrThrow({
    where: { id: key },
    select: { totalFen: true, heldFen: true },
  });
  if (paid.heldFen < (paid.totalFen ?? 0)) return;
  const mismatch = { outTradeNo, subject: transactionId, reason: 'amount_mismatch' };
  const mismatched = await tx.intervention.count({ where: { ...mismatch, status: 'open' } });
  const ended = ['amount_mismatch', 'late_payment', 'unknown_order'] as const;
  await endInterventions(tx, outTradeNo, ended, now, transactionId);
  if (mismatched > 0 && order && canBePaid(order.status)) {
    await closeLocked(context, tx, order, 'mismatch_refunded', now);
    scope.changed = true;
  }
}
