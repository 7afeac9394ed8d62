// Opens the intervention of a payment that doesn't fit its order or comes late.
import { paymentSubject } from '../../domain/interventions/subjects';
import type { PaymentIntervention } from '../../domain/payments/decide-payment';
import type { PaymentNotice } from '../../domain/payments/notices';
import type { InboxRow, Scope } from '../core/scope';
import { openIntervention } from '../interventions/open-intervention';

/** Opens an intervention about a payment: about its transaction, or its notice without one. */
export async function openPaymentIntervention(
  { tx, outTradeNo, order, now }: Scope,
  row: InboxRow,
  notice: PaymentNotice,
  { reason, mismatches }: PaymentIntervention,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason,
    subject: paymentSubject(notice.transactionId, row),
    evidence: evidenceOf(notice, row, mismatches),
    amountFen: notice.totalFen,
    now,
  });
}

function evidenceOf(
  notice: PaymentNotice,
  row: InboxRow,
  mismatches: PaymentIntervention['mismatches'],
) {
  return {
    source: row.source,
    notification_id: row.notificationId,
    notice_id: row.notificationId,
    transaction_id: notice.transactionId,
    trade_state: notice.tradeState ?? notice.reportedState,
    amount: { total: notice.totalFen, currency: notice.currency },
    app_id: notice.appId,
    merchant_id: notice.merchantId,
    success_time: notice.successTime,
    mismatches,
  };
}
