// The action `retry` of a reconciliation: checks again what did not fit.
import { canBePaid } from '../../domain/orders/order-state';
import { openIntervention } from '../interventions/open-intervention';
import { queryAgain } from './payment-actions';
import { DONE, type ResolutionScope, type Outcome } from './resolution-scope';

/**
 * `retry` of a reconciliation: checks again whether a refund of ours explains what WeChat reported.
 * Where none does, it opens the intervention anew.
 */
export async function reconcileAgain(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const { tx, outTradeNo, now, order } = scope;
  // WeChat may have a payment of this order that Oncepay has not seen.
  if (order && canBePaid(order.status)) await queryAgain(resolution);
  const ours = await tx.refund.count({
    where: { outTradeNo, status: { not: 'closed' }, transactionId: intervention.subject },
  });
  if (ours > 0 || (await decideNoticeAgain(resolution))) return DONE;
  await tx.intervention.updateMany({
    where: { id: intervention.id, status: 'open' },
    data: { status: 'resolved', resolvedAt: now, resolution: 'retry' },
  });
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: 'reconciliation',
    subject: intervention.subject,
    evidence: intervention.evidence as Readonly<Record<string, unknown>>,
    amountFen: intervention.amountFen,
    now,
  });
  return DONE;
}

/** Takes the verdict from the refund's notice, so that it is applied again: it may fit by now. */
async function decideNoticeAgain({ scope, intervention }: ResolutionScope): Promise<boolean> {
  const { tx, outTradeNo, now } = scope;
  const evidence = intervention.evidence as {
    out_refund_no?: unknown;
    notification_id?: unknown;
  } | null;
  const notificationId = evidence?.notification_id;
  if (typeof evidence?.out_refund_no !== 'string' || typeof notificationId !== 'string') {
    return false;
  }
  const { count } = await tx.inboxNotification.updateMany({
    where: { outTradeNo, notificationId, resourceEncrypted: { not: null } },
    data: { verdict: null, verdictAt: null, attempts: 0, nextAttemptAt: now },
  });
  if (count > 0) scope.decideAgain = true;
  return count > 0;
}
