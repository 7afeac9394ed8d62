import type { Notice } from '../domain/payment-notice';
import type { RunView } from '../domain/run-view';
import type { DatabaseContext } from './context';
import { askAboutUnreadable, noteForeignRefund } from './notice-questions';
import type { InboxRow, Scope, Verdict } from './notice-scope';
import { applyPayment } from './payment-application';
import { readRunView } from './run-view';
import { lockOrder } from './status-change';

/** Inbox rows that one transaction applies; a run asks again while some are left. */
const BATCH = 50;

export interface Application {
  /** null when the number is not one of our orders. */
  readonly view: RunView | null;
  readonly applied: number;
  readonly conflicts: number;
  /** More rows wait than one transaction takes. */
  readonly more: boolean;
}

/**
 * The way from the inbox into the books. Every row of a number without a verdict is decided under the
 * order's row lock; the verdict is written in the transaction that applies it (P3), so a crash leaves
 * both or neither.
 */
export function createNoticeApplication(context: DatabaseContext) {
  return {
    /**
     * @param parse reads a decrypted notice (wechatpay/), passed in so that this room needs no
     * provider
     */
    apply: (outTradeNo: string, parse: (resource: string) => Notice, nowMs: number) =>
      applyNotices(context, outTradeNo, parse, nowMs),
  };
}

async function applyNotices(
  context: DatabaseContext,
  outTradeNo: string,
  parse: (resource: string) => Notice,
  nowMs: number,
): Promise<Application> {
  return context.prisma.$transaction(async (tx) => {
    const scope: Scope = { tx, outTradeNo, now: new Date(nowMs), order: null, changed: false };
    scope.order = await lockOrder(tx, outTradeNo);
    const rows = await tx.inboxNotification.findMany({
      where: { outTradeNo, verdict: null },
      select: { id: true, notificationId: true, source: true, resourceEncrypted: true },
      orderBy: [{ receivedAt: 'asc' }, { id: 'asc' }],
      take: BATCH,
    });
    const verdicts: Record<Verdict, string[]> = {
      applied: [],
      already_applied: [],
      conflict: [],
      ignored: [],
    };
    for (const row of rows) {
      if (scope.changed) {
        scope.order = await lockOrder(tx, outTradeNo);
        scope.changed = false;
      }
      verdicts[await applyRow(context, scope, row, parse)].push(row.id);
    }
    for (const [verdict, ids] of Object.entries(verdicts)) {
      if (ids.length === 0) continue;
      await tx.inboxNotification.updateMany({
        where: { id: { in: ids } },
        data: { verdict, verdictAt: scope.now },
      });
    }
    return {
      view: scope.order && (await readRunView(tx, outTradeNo)),
      applied: verdicts.applied.length,
      conflicts: verdicts.conflict.length,
      more: rows.length === BATCH,
    };
  });
}

async function applyRow(
  context: DatabaseContext,
  scope: Scope,
  row: InboxRow,
  parse: (resource: string) => Notice,
): Promise<Verdict> {
  const notice = open(context, row, parse);
  if (!notice) return askAboutUnreadable(scope, row);
  if (notice.kind === 'payment') return applyPayment(context, scope, notice, row);
  if (notice.kind === 'refund') return noteForeignRefund(scope, notice, row);
  return 'ignored';
}

/** null when it can't be read: its key is gone, or the value was changed. */
function open(
  { cipher }: DatabaseContext,
  row: InboxRow,
  parse: (resource: string) => Notice,
): Notice | null {
  if (row.resourceEncrypted === null) return null;
  const place = { table: 'notification_inbox', column: 'resource', row: row.id };
  try {
    return parse(cipher.decrypt(place, row.resourceEncrypted));
  } catch {
    return null;
  }
}
