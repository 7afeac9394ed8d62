import type { PaymentDecision } from '../domain/payments/payment-decision';
import type { PaymentNotice, RefundNotice } from '../domain/payments/notices';
import { openIntervention } from './interventions/open-intervention';
import type { InboxRow, Scope, Verdict } from './core/scope';

/** Opens the question that a payment raises which does not fit or comes late, with its evidence. */
export async function askAboutPayment(
  { tx, outTradeNo, order, now }: Scope,
  row: InboxRow,
  notice: PaymentNotice,
  { reason, mismatches }: Pick<PaymentDecision & { kind: 'conflict' }, 'reason' | 'mismatches'>,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason,
    subject: notice.transactionId ?? row.id,
    evidence: evidence(notice, row, mismatches),
    amountFen: notice.totalFen,
    now,
  });
}

/** A refund that Oncepay did not make, or not like this: a person has to know. */
export async function askAboutRefund(
  { tx, outTradeNo, order, now }: Scope,
  notice: RefundNotice,
  row: InboxRow,
): Promise<Verdict> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: 'reconciliation',
    subject: notice.outRefundNo,
    evidence: {
      source: row.source,
      notification_id: row.notificationId,
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

/**
 * A notice that can't be read any more must not hold its order for ever: a person hears of it, and a
 * payment behind it is still found by asking WeChat.
 */
export async function askAboutUnreadable(
  { tx, outTradeNo, order, now }: Scope,
  row: InboxRow,
): Promise<Verdict> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: 'undeliverable',
    subject: `notice:${row.id}`,
    evidence: { source: row.source, notification_id: row.notificationId, why: 'unreadable' },
    now,
  });
  return 'conflict';
}

function evidence(notice: PaymentNotice, row: InboxRow, mismatches: readonly object[]) {
  return {
    source: row.source,
    notification_id: row.notificationId,
    transaction_id: notice.transactionId,
    trade_state: notice.tradeState,
    amount: { total: notice.totalFen, currency: notice.currency },
    app_id: notice.appId,
    merchant_id: notice.merchantId,
    success_time: notice.successTime,
    mismatches,
  };
}
