// Decides about a notice that can't be read or booked: an intervention, or a query in its place.
import { formatSubject } from '../../domain/interventions/subjects';
import type { Scope, InboxRow, Verdict } from '../core/scope';
import { openIntervention } from '../interventions/open-intervention';

/**
 * Opens an intervention, so that a notice which can't be read or booked doesn't block its order.
 * After its `dismiss` the notice is set aside: WeChat is queried about the number, whatever the
 * order's status is. WeChat's response then has a row of its own; where it shows nothing, a
 * `reconciliation` is opened.
 * @param evidence why the notice can't be used
 * @returns null when WeChat has to be queried first
 */
export async function setNoticeAside(
  scope: Scope,
  row: InboxRow,
  evidence: Readonly<Record<string, unknown>>,
): Promise<Verdict | null> {
  const { outTradeNo, order } = scope;
  if (await isDismissed(scope, row)) {
    // Only an order of ours has a run that queries, and a merchant to query for.
    if (order === null) return 'conflict';
    if (row.queriedAt === null) return null;
    if (row.queryFound && (await hasReplacement(scope, row, evidence))) return 'ignored';
    await open(scope, row, { reason: 'reconciliation', subject: row.notificationId, evidence });
    return 'conflict';
  }
  const subject = formatSubject('notice', row.id);
  await open(scope, row, { reason: 'undeliverable', subject, evidence });
  return 'conflict';

  function open(
    { tx, now }: Scope,
    { source, notificationId }: InboxRow,
    what: {
      readonly reason: 'undeliverable' | 'reconciliation';
      readonly subject: string;
      readonly evidence: Readonly<Record<string, unknown>>;
    },
  ): Promise<boolean> {
    const named = { source, notification_id: notificationId };
    const ofNotice = what.reason === 'reconciliation' ? { notice_id: notificationId } : {};
    return openIntervention(tx, {
      outTradeNo,
      ours: order !== null,
      reason: what.reason,
      subject: what.subject,
      evidence: { ...named, ...ofNotice, ...what.evidence },
      now,
    });
  }
}

/** True after a person dismissed the intervention about this notice. */
async function isDismissed({ tx, outTradeNo }: Scope, { id }: InboxRow): Promise<boolean> {
  const subject = formatSubject('notice', id);
  const dismissed = { outTradeNo, reason: 'undeliverable', subject, resolution: 'dismiss' };
  return (await tx.intervention.count({ where: dismissed })) > 0;
}

/**
 * True when the query's own row is about to be read, and for an unreadable notice also when that
 * row has been applied or has its intervention. A notice that can be read and whose payment is
 * booked counts as applied before, so one that is here names other money than the booked row.
 */
async function hasReplacement(
  { tx, outTradeNo }: Scope,
  { id }: InboxRow,
  { why }: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const booked = why === 'unreadable' ? [{ verdict: { not: 'ignored' } }] : [];
  const others = await tx.inboxNotification.count({
    where: { outTradeNo, source: 'query', id: { not: id }, OR: [{ verdict: null }, ...booked] },
  });
  return others > 0;
}
