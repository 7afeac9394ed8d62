import { canBePaid } from '../../domain/orders/order-state';
import { openIntervention } from '../interventions/open-intervention';
import { DONE, type ResolutionScope, type Outcome } from './resolution-scope';
import { queryAgain } from './payment-actions';

/**
 * `retry` of a reconciliation: looks again whether our own refunds explain what WeChat said; if not, the
 * question is asked anew.
 */
export async function reconcileAgain(answering: ResolutionScope): Promise<Outcome> {
  const { scope, intervention: question } = answering;
  const { tx, outTradeNo, now, order } = scope;
  // Money of which no payment is known: WeChat may know one.
  if (order && canBePaid(order.status)) await queryAgain(answering);
  const ours = await tx.refund.count({
    where: { outTradeNo, status: { not: 'closed' }, transactionId: question.subject },
  });
  if (ours > 0 || (await readAgain(answering))) return DONE;
  await tx.intervention.updateMany({
    where: { id: question.id, status: 'open' },
    data: { status: 'resolved', resolvedAt: now, resolution: 'retry' },
  });
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: 'reconciliation',
    subject: question.subject,
    evidence: question.evidence as Readonly<Record<string, unknown>>,
    amountFen: question.amountFen,
    now,
  });
  return DONE;
}

/** What WeChat told of a refund is judged anew: it may fit by now. */
async function readAgain({ scope, intervention: question }: ResolutionScope): Promise<boolean> {
  const { tx, outTradeNo, now } = scope;
  const told = question.evidence as { out_refund_no?: unknown; notification_id?: unknown } | null;
  if (typeof told?.out_refund_no !== 'string' || typeof told.notification_id !== 'string') {
    return false;
  }
  const { count } = await tx.inboxNotification.updateMany({
    where: { outTradeNo, notificationId: told.notification_id, resourceEncrypted: { not: null } },
    data: { verdict: null, verdictAt: null, attempts: 0, nextAttemptAt: now },
  });
  if (count > 0) scope.decideAgain = true;
  return count > 0;
}
