import type { RefundNotice } from '../../domain/payments/notices';
import type { Scope, InboxRow, Verdict } from '../core/scope';
import { openIntervention } from '../interventions/open-intervention';

/** A refund that Oncepay did not make, or not like this: a person has to know. */
export async function openNoticeIntervention(
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
