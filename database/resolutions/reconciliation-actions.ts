// The actions of a reconciliation: `retry` checks again what did not fit, `dismiss` explains it.
import { canBePaid } from '../../domain/orders/order-state';
import { openIntervention } from '../interventions/open-intervention';
import { parseSubject } from '../../domain/interventions/subjects';
import { isBillDate } from '../../domain/reconciliation/bill-days';
import { requestReconciliation } from '../reconciliation/days';
import { queryAgain } from './payment-actions';
import { DONE, type ResolutionScope, type Outcome } from './resolution-scope';

/**
 * `retry` of a reconciliation: applies the refund's notice again, or queries WeChat again for the
 * payment and its refunds. The intervention is opened anew; it ends when they explain it.
 */
export async function reconcileAgain(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const { tx, outTradeNo, now, order } = scope;
  await reconcileDayAgain(resolution);
  if (parseSubject(intervention.subject).kind === 'bill') return DONE;
  // WeChat may have a payment of this order that Oncepay has not seen.
  if (order && canBePaid(order.status)) await queryAgain(resolution);
  if (await decideNoticeAgain(resolution)) return DONE;
  await queryAgainForNotice(resolution);
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
  await followIntervention(resolution);
  return DONE;
}

/** `dismiss` of a reconciliation: a person has explained its differences. */
export async function dismissDifferences({
  scope,
  intervention,
}: ResolutionScope): Promise<Outcome> {
  await scope.tx.reconciliationDifference.updateMany({
    where: { interventionId: intervention.id, status: { in: ['open', 'waiting'] } },
    data: { status: 'dismissed', settledAt: scope.now },
  });
  return DONE;
}

/** The day's bill is requested and compared again; the sweep starts its run. */
async function reconcileDayAgain({ scope, intervention }: ResolutionScope): Promise<void> {
  const { bill_date: date } = evidenceIn(intervention.evidence);
  if (typeof date !== 'string' || !isBillDate(date)) return;
  await requestReconciliation(scope.tx, date, scope.now);
}

/** The differences of the intervention belong to the one that was opened in its place. */
async function followIntervention({ scope, intervention }: ResolutionScope): Promise<void> {
  const { tx, outTradeNo } = scope;
  const { reason, subject } = intervention;
  const open = await tx.intervention.findFirst({
    where: { outTradeNo, reason, subject, status: 'open' },
    select: { id: true },
  });
  if (!open) return;
  await tx.reconciliationDifference.updateMany({
    where: { interventionId: intervention.id },
    data: { interventionId: open.id },
  });
}

/** WeChat is queried for the notice once more, in whatever status the order is. */
async function queryAgainForNotice({ scope, intervention }: ResolutionScope): Promise<void> {
  const { tx, outTradeNo, now, order } = scope;
  const { notification_id: notificationId } = evidenceIn(intervention.evidence);
  if (!order || typeof notificationId !== 'string') return;
  const { count } = await tx.inboxNotification.updateMany({
    where: { outTradeNo, notificationId, kind: 'payment' },
    data: { queryRequestedAt: now, queriedAt: null, queryFound: false },
  });
  if (count > 0) scope.changed = true;
}

interface Evidence {
  readonly bill_date?: unknown;
  readonly out_refund_no?: unknown;
  readonly notification_id?: unknown;
}

const evidenceIn = (evidence: unknown): Evidence => evidence ?? {};

/** Takes the verdict from the refund's notice, so that it is applied again: it may fit by now. */
async function decideNoticeAgain({ scope, intervention }: ResolutionScope): Promise<boolean> {
  const { tx, outTradeNo, now } = scope;
  const evidence = evidenceIn(intervention.evidence);
  const notificationId = evidence.notification_id;
  if (typeof evidence.out_refund_no !== 'string' || typeof notificationId !== 'string') {
    return false;
  }
  const { count } = await tx.inboxNotification.updateMany({
    where: { outTradeNo, notificationId, resourceEncrypted: { not: null } },
    data: { verdict: null, verdictAt: null, attempts: 0, nextAttemptAt: now },
  });
  if (count > 0) scope.decideAgain = true;
  return count > 0;
}
