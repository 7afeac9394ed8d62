// Applies all that waits for a number's run: notices of the inbox, then approved resolutions.
import { formatSubject } from '../../domain/interventions/subjects';
import type { Notice } from '../../domain/payments/notices';
import type { RunView } from '../../domain/orders/run-view';
import { currentOrder, openScope } from '../core/scope';
import { carryOutApproved } from '../resolutions/carry-out-approved';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';
import { lockNumbers } from '../core/lock-order';
import { UnreadableValueError } from '../encryption/unreadable-value';
import { withProductsToResolve } from '../fulfilment/limit-products';
import { endInterventions } from '../interventions/open-intervention';
import type { InboxRow, Scope, ReportedRefund, Verdict } from '../core/scope';
import { applyIsolated, isOfOneRow } from './apply-isolated';
import { setNoticeAside } from './set-notice-aside';
import { applyPayment } from '../payments/apply-payment';
import { applyRefundNotice } from '../refunds/apply-refund-notice';
import { readRunView } from '../core/read-run-view';

/**
 * Inbox rows that one transaction applies; the run calls again while some are left. A refund takes
 * some fifteen statements, and the transaction ends after 8 s, also on a busy machine.
 */
const BATCH = 20;
/** Notices of refunds without a booking, read along in case their payment is among those rows. */
const MAX_REPORTED_REFUNDS = 50;

export interface Application {
  /** null when the number is not one of our orders. */
  readonly view: RunView | null;
  /** Rows that got this verdict. */
  readonly applied: number;
  readonly conflicts: number;
  /** Notices of which side fields could not be read or believed: for the log. */
  readonly unreadable: readonly { readonly id: string; readonly fields: readonly string[] }[];
  /** More rows wait than one transaction takes. */
  readonly more: boolean;
  /** Refunds whose runs have something to do now. */
  readonly refunds: readonly string[];
  /** The same of profit sharings. */
  readonly sharings: readonly string[];
}

/**
 * Applies all that waits for a number's run. Each row is decided under the order's row lock, and
 * its verdict is written in the transaction that applies it (P3): a crash leaves both or neither.
 */
export function createNoticeApplication(context: DatabaseContext) {
  return {
    /**
     * Applies the inbox rows without a verdict, and then also carries out the approved resolutions
     * of the number: notices come first, since they may end what a resolution is about.
     * @param parse reads a decrypted notice; passed in, since database/ may not import a provider
     */
    apply: (outTradeNo: string, parse: (resource: string) => Notice, nowMs: number) =>
      applyAllOrEach(context, { outTradeNo, parse, nowMs }),
  };
}

interface ApplicationInput {
  readonly outTradeNo: string;
  readonly parse: (resource: string) => Notice;
  readonly nowMs: number;
}

/**
 * Applies the rows together; when that fails because of one of them, each behind a savepoint of its
 * own, which costs two round trips a row.
 */
async function applyAllOrEach(
  context: DatabaseContext,
  input: ApplicationInput,
): Promise<Application> {
  try {
    return await applyNotices(context, input, (_scope, _row, apply) => apply());
  } catch (error) {
    if (!isOfOneRow(error)) throw error;
    return applyNotices(context, input, applyIsolated);
  }
}

/** Applies what waits, and logs the notices that can't be decrypted once that is committed. */
async function applyNotices(
  context: DatabaseContext,
  input: ApplicationInput,
  applyOne: typeof applyIsolated,
): Promise<Application> {
  const { undecrypted, ...application } = await applyInOne(context, input, applyOne);
  for (const error of undecrypted) context.unreadable.log(error, input.outTradeNo);
  return application;
}

async function applyInOne(
  context: DatabaseContext,
  { outTradeNo, parse, nowMs }: ApplicationInput,
  applyOne: typeof applyIsolated,
): Promise<Application & Pick<Scope, 'undecrypted'>> {
  return withProductsToResolve(context, outTradeNo, async (tx) => {
    const scope = await openScope(tx, outTradeNo, new Date(nowMs));
    const waiting = await tx.inboxNotification.findMany({
      where: {
        outTradeNo,
        OR: [
          { verdict: null, OR: [{ queryRequestedAt: null }, { queriedAt: { not: null } }] },
          { kind: 'refund', verdict: 'conflict', resourceEncrypted: { not: null } },
        ],
      },
      select: {
        id: true,
        kind: true,
        verdict: true,
        notificationId: true,
        source: true,
        resourceEncrypted: true,
        receivedAt: true,
        queriedAt: true,
        queryFound: true,
        undeliverableAt: true,
      },
      orderBy: [{ verdict: { sort: 'asc', nulls: 'first' } }, { receivedAt: 'asc' }, { id: 'asc' }],
      take: BATCH + MAX_REPORTED_REFUNDS,
    });
    const rows = waiting.filter(({ verdict }) => verdict === null).slice(0, BATCH);
    scope.reportedRefunds = readReportedRefunds(context, waiting, parse);
    const named = scope.reportedRefunds.flatMap(({ notice }) => notice.outRefundNo ?? []);
    await lockNumbers(tx, named);
    for (const row of rows) {
      // The row of a refund may have its verdict already: its payment was applied before it.
      if (scope.verdicts.has(row.id)) continue;
      await currentOrder(scope);
      const verdict = await applyOne(scope, row, () => applyRow(context, scope, row, parse));
      if (verdict === null) scope.toQuery.add(row.id);
      else scope.verdicts.set(row.id, verdict);
    }
    await writeVerdicts(scope);
    await requestQueries(scope);
    await writeUnreadable(scope);
    await endUndeliverable(scope, rows);
    await readFurther(scope, waiting.length);
    const moreResolutions = await carryOutApproved(context, scope);
    if (scope.order && scope.changed) await keepDue(scope);
    return {
      view: scope.order && (await readRunView(tx, outTradeNo)),
      applied: countOf(scope, 'applied'),
      conflicts: countOf(scope, 'conflict'),
      unreadable: [...scope.unreadable].map(([id, fields]) => ({ id, fields })),
      more: rows.length === BATCH || moreResolutions || scope.decideAgain,
      refunds: [...scope.refunds],
      sharings: [...scope.sharings],
      undecrypted: scope.undecrypted,
    };
  });
}

const countOf = ({ verdicts }: Scope, verdict: Verdict): number =>
  [...verdicts.values()].filter((one) => one === verdict).length;

async function writeVerdicts({ tx, verdicts, now }: Scope): Promise<void> {
  for (const verdict of new Set(verdicts.values())) {
    const ids = [...verdicts].filter(([, one]) => one === verdict).map(([id]) => id);
    await tx.inboxNotification.updateMany({
      where: { id: { in: ids } },
      data: { verdict, verdictAt: now },
    });
  }
}

/** The order's run queries WeChat for these rows, in whatever status the order is. */
async function requestQueries(scope: Scope): Promise<void> {
  if (scope.toQuery.size === 0) return;
  await scope.tx.inboxNotification.updateMany({
    where: { id: { in: [...scope.toQuery] } },
    data: { queryRequestedAt: scope.now, queriedAt: null, queryFound: false },
  });
  scope.changed = true;
}

async function writeUnreadable({ tx, unreadable }: Scope): Promise<void> {
  for (const [id, fields] of unreadable) {
    await tx.inboxNotification.updateMany({
      where: { id },
      data: { unreadable: { set: [...fields] } },
    });
  }
}

/** Refunds without a booking: in conflict before, or about to get their verdict. */
function readReportedRefunds(
  context: DatabaseContext,
  rows: readonly (InboxRow & { readonly kind: string })[],
  parse: (resource: string) => Notice,
): ReportedRefund[] {
  return rows.flatMap((row) => {
    const notice = row.kind === 'refund' ? read(context, row, parse) : null;
    const isRead = notice !== null && !(notice instanceof UnreadableValueError);
    return isRead && notice.kind === 'refund' ? [{ row, notice }] : [];
  });
}

/** Ends the interventions about rows that no run had taken: one has taken them now. */
async function endUndeliverable(
  { tx, outTradeNo, now, unbooked }: Scope,
  rows: readonly { id: string; undeliverableAt: Date | null }[],
): Promise<void> {
  for (const { id, undeliverableAt } of rows) {
    if (undeliverableAt === null || unbooked.has(id)) continue;
    await endInterventions(tx, {
      outTradeNo,
      reasons: ['undeliverable'],
      subjects: [formatSubject('notice', id)],
      now,
    });
  }
}

/**
 * A payment was applied, and more refunds were reported before it than this transaction decided:
 * the others lose their verdict, so that the next applications decide them again.
 */
async function readFurther(scope: Scope, readCount: number): Promise<void> {
  const { tx, outTradeNo, verdicts, refundsLeft } = scope;
  const isCut = refundsLeft || readCount >= BATCH + MAX_REPORTED_REFUNDS;
  if (!scope.paymentApplied || !isCut) return;
  const { count } = await tx.inboxNotification.updateMany({
    where: {
      outTradeNo,
      kind: 'refund',
      verdict: 'conflict',
      resourceEncrypted: { not: null },
      id: { notIn: [...verdicts.keys()] },
    },
    data: { verdict: null, verdictAt: null },
  });
  if (count > 0) scope.decideAgain = true;
}

/** Gives a changed order a due time: the sweep wakes its run, should this one die now. */
async function keepDue({ tx, outTradeNo, now }: Scope): Promise<void> {
  const dueAt = new Date(now.getTime() + SETTLE_GRACE_MS);
  await tx.order.updateMany({ where: { outTradeNo, dueAt: null }, data: { dueAt } });
}

/** @returns null when WeChat has to be queried first */
async function applyRow(
  context: DatabaseContext,
  scope: Scope,
  row: InboxRow,
  parse: (resource: string) => Notice,
): Promise<Verdict | null> {
  const notice = read(context, row, parse);
  if (notice instanceof UnreadableValueError) {
    scope.undecrypted.push(notice);
    return setNoticeAside(scope, row, { ...notice.evidence, why: 'unreadable' });
  }
  if (!notice) return setNoticeAside(scope, row, { why: 'unreadable' });
  noteUnreadable(scope, row, notice);
  if (notice.kind === 'payment') return applyPayment(context, scope, notice, row);
  if (notice.kind === 'refund') return applyRefundNotice(context, scope, notice, row);
  return 'ignored';
}

/** Keeps the names of side fields that could not be read. */
function noteUnreadable(scope: Scope, row: InboxRow, notice: Notice): void {
  if (notice.kind !== 'payment' && notice.kind !== 'refund') return;
  if (notice.unreadable.length > 0) scope.unreadable.set(row.id, notice.unreadable);
}

/**
 * @returns null when its text can't be read; UnreadableValueError when it can't be decrypted: its
 * key is gone, or the stored value was changed
 */
function read(
  { cipher }: DatabaseContext,
  row: InboxRow,
  parse: (resource: string) => Notice,
): Notice | UnreadableValueError | null {
  if (row.resourceEncrypted === null) return null;
  const place = { table: 'notification_inbox', column: 'resource', row: row.id };
  try {
    return parse(cipher.decrypt(place, row.resourceEncrypted));
  } catch (error) {
    return error instanceof UnreadableValueError ? error : null;
  }
}
