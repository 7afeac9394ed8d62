import type { PaymentNotice } from '../../domain/payments/notices';
import type { PaymentDecision } from '../../domain/payments/payment-decision';
import type { InboxRow, Scope } from '../core/scope';
import { openIntervention } from '../interventions/open-intervention';

export function evidence(notice: PaymentNotice, row: InboxRow, mismatches: readonly object[]) {
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
/** Opens the question that a payment raises which does not fit or comes late, with its evidence. */
export async function openPaymentIntervention(
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
