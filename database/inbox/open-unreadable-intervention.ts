import type { Scope, InboxRow, Verdict } from '../core/scope';
import { openIntervention } from '../interventions/open-intervention';

/**
 * A notice that can't be read any more must not hold its order for ever: a person hears of it, and a
 * payment behind it is still found by asking WeChat.
 */
export async function openUnreadableIntervention(
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
