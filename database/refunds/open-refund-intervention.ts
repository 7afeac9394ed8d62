// Opens the interventions of a refund, and finds those that its run waits for.
import type { InterventionReason } from '../../domain/interventions/reasons';
import { invariantSubject } from '../../domain/interventions/subjects';
import type { RefundNotice } from '../../domain/payments/notices';
import type { Tx } from '../core/context';
import type { InboxRow, Scope, Verdict } from '../core/scope';
import type { TxScope } from '../core/tx-scope';
import { openIntervention } from '../interventions/open-intervention';
import type { LockedRefund } from './lock-refund';

/** The facts of the case that a person sees; no personal data. */
type Evidence = Readonly<Record<string, unknown>>;

/** Opens an intervention about a refund, with its numbers and amounts in the evidence. */
export async function openRefundIntervention(
  { tx, now }: TxScope,
  refund: LockedRefund,
  reason: InterventionReason,
  evidence: Evidence,
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

/**
 * The account that an abnormal refund was redirected to was no good: a person chooses another one.
 */
export async function openRedirectIntervention(
  scope: TxScope,
  refund: LockedRefund,
  evidence: Evidence,
): Promise<void> {
  await scope.tx.refund.updateMany({
    where: { outRefundNo: refund.outRefundNo, status: 'abnormal' },
    data: { abnormalEncrypted: null, nextQueryAt: null, dueAt: null },
  });
  await openRefundIntervention(scope, refund, 'refund_abnormal', evidence);
}

/** Receivers can't give back what a refund lacks: it goes out only after a person has decided. */
export async function openTakeBackIntervention(
  { tx, now }: TxScope,
  refund: LockedRefund,
  evidence: Evidence,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason: 'return_failed',
    subject: refund.outRefundNo,
    evidence: {
      out_refund_no: refund.outRefundNo,
      transaction_id: refund.transactionId,
      refund: refund.amountFen,
      ...evidence,
    },
    amountFen: refund.amountFen,
    now,
  });
}

/** WeChat reports a status that a refund which has ended here can't have: money may have moved. */
export async function openContradictionIntervention(
  { tx, now }: TxScope,
  refund: LockedRefund,
  report: { readonly event: string; readonly refundId: string | null; readonly evidence: Evidence },
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason: 'reconciliation',
    subject: refund.outRefundNo,
    evidence: {
      expected: refund.status,
      seen: report.event,
      refund_id: report.refundId,
      ...report.evidence,
    },
    amountFen: refund.amountFen,
    now,
  });
}

/** WeChat reports more money as refunded than was paid: its facts, or our books, are wrong. */
export async function openExceededIntervention(
  { tx, now }: TxScope,
  refund: Pick<
    LockedRefund,
    'outTradeNo' | 'orderNo' | 'outRefundNo' | 'transactionId' | 'amountFen' | 'totalFen'
  >,
  evidence: Evidence,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason: 'invariant',
    subject: invariantSubject('transaction_overdrawn', refund.transactionId),
    evidence: {
      invariant: 'transaction_overdrawn',
      out_refund_no: refund.outRefundNo,
      transaction_id: refund.transactionId,
      amount: { refund: refund.amountFen, total: refund.totalFen },
      ...evidence,
    },
    amountFen: refund.amountFen,
    now,
  });
}

/**
 * WeChat reports a refund that Oncepay did not make, or made with other content: a person decides.
 */
export async function openNoticeIntervention(
  { tx, outTradeNo, order, now }: Scope,
  notice: RefundNotice,
  row: InboxRow,
): Promise<Verdict> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: 'reconciliation',
    subject: notice.outRefundNo ?? row.notificationId,
    evidence: {
      source: row.source,
      notification_id: row.notificationId,
      notice_id: row.notificationId,
      transaction_id: notice.transactionId,
      out_refund_no: notice.outRefundNo,
      refund_status: notice.refundStatus,
      amount: { refund: notice.refundFen, total: notice.totalFen },
    },
    amountFen: notice.totalFen,
    now,
  });
  return 'conflict';
}

/** True while an intervention about this refund is open: its run waits for the resolution. */
export async function hasOpenIntervention(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const { outTradeNo, outRefundNo, transactionId } = refund;
  const open = await tx.intervention.count({
    where: {
      outTradeNo,
      status: 'open',
      OR: [
        {
          reason: { in: ['refund_failed', 'refund_abnormal', 'return_failed'] },
          subject: outRefundNo,
        },
        { reason: 'surplus_payment', subject: { in: [outRefundNo, transactionId] } },
      ],
    },
  });
  return open > 0;
}
