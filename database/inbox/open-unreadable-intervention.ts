// Opens an intervention for an inbox row that can't be read any more.
import { formatSubject } from '../../domain/interventions/subjects';
import type { Scope, InboxRow, Verdict } from '../core/scope';
import { openIntervention } from '../interventions/open-intervention';

/**
 * Opens an intervention, so that an unreadable notice doesn't block its order. A payment behind it
 * is still found: the order's query brings it once more.
 */
export async function openUnreadableIntervention(
  { tx, outTradeNo, order, now }: Scope,
  row: InboxRow,
): Promise<Verdict> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: 'undeliverable',
    subject: formatSubject('notice', row.id),
    evidence: { source: row.source, notification_id: row.notificationId, why: 'unreadable' },
    now,
  });
  return 'conflict';
}
