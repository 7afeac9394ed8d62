import type { RefundNotice } from '../domain/payment-notice';
import { refundEvent } from '../domain/refund-state';
import type { DatabaseContext } from './context';
import { askAboutRefund } from './notice-questions';
import type { InboxRow, Scope, Verdict } from './notice-scope';
import { lockRefund, settleRefund } from './refund-rows';

/**
 * Books what WeChat told of a refund. One that is not ours, or not as we made it, moved money outside:
 * a person has to know.
 */
export async function applyRefundNotice(
  context: DatabaseContext,
  scope: Scope,
  notice: RefundNotice,
  row: InboxRow,
): Promise<Verdict> {
  const { tx, now, outTradeNo } = scope;
  const refund = await lockRefund(tx, notice.outRefundNo);
  if (refund?.out_trade_no !== outTradeNo) {
    if (!scope.order && !refund) return 'ignored';
    return askAboutRefund(scope, notice, row);
  }
  const differs =
    (notice.refundFen !== null && notice.refundFen !== refund.amount_fen) ||
    (notice.transactionId !== null && notice.transactionId !== refund.transaction_id);
  if (differs) return askAboutRefund(scope, notice, row);
  const event = refundEvent(notice.refundStatus);
  if (event === null) return askAboutRefund(scope, notice, row);
  // Only an answer of the API says when to ask next.
  if (event === 'processing') return 'ignored';
  const word = {
    event,
    refundId: notice.refundId,
    nextQueryAt: null,
    evidence: { source: row.source, notification_id: row.notificationId },
  };
  const step = await settleRefund(context, tx, refund, word, now);
  if (step.kind === 'refused') return askAboutRefund(scope, notice, row);
  if (step.kind === 'duplicate') return 'already_applied';
  scope.changed = true;
  scope.refunds.add(refund.out_refund_no);
  return 'applied';
}
