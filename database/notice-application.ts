import type { Notice } from '../domain/payment-notice';
import type { RunView } from '../domain/run-view';
import { currentOrder, openScope } from './answers/answer-scope';
import { carryOutApproved } from './answers/approved';
import { SETTLE_GRACE_MS } from './attempts';
import type { DatabaseContext } from './context';
import { endMoot } from './interventions';
import { askAboutUnreadable } from './notice-questions';
import type { InboxRow, Scope, Verdict } from './notice-scope';
import { applyPayment } from './payment-application';
import { applyRefundNotice } from './refund-application';
import { readRunView } from './run-view';

/** Inbox rows that one transaction applies; a run asks again while some are left. */
const BATCH = 50;

export interface Application {
  /** null when the number is not one of our orders. */
  readonly view: RunView | null;
  readonly applied: number;
  readonly conflicts: number;
  /** More rows wait than one transaction takes. */
  readonly more: boolean;
  /** Refunds whose runs have something to do now. */
  readonly refunds: readonly string[];
  /** The same of profit sharings. */
  readonly sharings: readonly string[];
}

/**
 * The way into the books of all that waits for a number's run: inbox rows without a verdict, then the
 * answers of persons. Each is decided under the order's row lock, and what came of it is written in the
 * transaction that applies it (P3), so a crash leaves both or neither.
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
    const scope = await openScope(tx, outTradeNo, new Date(nowMs));
    const rows = await tx.inboxNotification.findMany({
      where: { outTradeNo, verdict: null },
      select: {
        id: true,
        notificationId: true,
        source: true,
        resourceEncrypted: true,
        undeliverableAt: true,
      },
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
      await currentOrder(scope);
      verdicts[await applyRow(context, scope, row, parse)].push(row.id);
    }
    for (const [verdict, ids] of Object.entries(verdicts)) {
      if (ids.length === 0) continue;
      await tx.inboxNotification.updateMany({
        where: { id: { in: ids } },
        data: { verdict, verdictAt: scope.now },
      });
    }
    await endUndeliverable(scope, rows);
    const moreAnswers = await carryOutApproved(context, scope);
    // An order's view counts what an answer opened again.
    const reopened = !scope.order && (await isAnyOpen(scope));
    if (scope.order && scope.changed) await keepDue(scope);
    return {
      view: scope.order && (await readRunView(tx, outTradeNo)),
      applied: verdicts.applied.length,
      conflicts: verdicts.conflict.length,
      more: rows.length === BATCH || moreAnswers || reopened,
      refunds: [...scope.refunds],
      sharings: [...scope.sharings],
    };
  });
}

async function isAnyOpen({ tx, outTradeNo }: Scope): Promise<boolean> {
  return (await tx.inboxNotification.count({ where: { outTradeNo, verdict: null } })) > 0;
}

/** Rows that a person was asked about have found their run after all. */
async function endUndeliverable(
  { tx, outTradeNo, now }: Scope,
  rows: readonly { id: string; undeliverableAt: Date | null }[],
): Promise<void> {
  for (const { id, undeliverableAt } of rows) {
    if (undeliverableAt === null) continue;
    await endMoot(tx, outTradeNo, ['undeliverable'], now, `notice:${id}`);
  }
}

/** What was changed sets the run to work: should that get lost, it is looked for. */
async function keepDue({ tx, outTradeNo, now }: Scope): Promise<void> {
  const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
  await tx.order.updateMany({ where: { outTradeNo, dueAt: null }, data: { dueAt } });
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
  if (notice.kind === 'refund') return applyRefundNotice(context, scope, notice, row);
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
