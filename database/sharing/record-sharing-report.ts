// Records what WeChat reported of a sharing: each receiver's result, and what follows at the end.
import type { ReceiverResult, SharingStatus } from '../../domain/sharing/profit-sharing';
import type { DatabaseContext } from '../core/context';
import { DUE_GRACE_MS } from '../core/due-times';
import { lockOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import { endInterventions, openIntervention } from '../interventions/open-intervention';
import { addSharingDelivery } from '../outbound/add-deliveries';
import {
  acceptAttempt,
  refuseForeignAttempts,
  type AcceptedAttempt,
} from '../requests/numbered-attempts';
import { freeSharedAmount } from './hold-sharing';
import { lockSharing, sharingAttempts, type LockedSharing } from './lock-sharing';
import { readReceivers, type Receiver } from './read-receivers';
import { addUnfreezeOfRest, closeUnfreezeAtDeadline } from './unfreeze-rest';

/** A report of WeChat about a sharing, or about an unfreeze. */
export interface SharingReport {
  readonly orderId: string | null;
  readonly finished: boolean;
  readonly receivers: readonly ReportedReceiver[];
  /** When WeChat is queried again, while it works on it. */
  readonly nextQueryAt: Date;
  readonly source: 'answer' | 'query';
}

export interface ReportedReceiver {
  readonly type: string;
  readonly account: string;
  /** null where it can't be read: then it is ours. */
  readonly amountFen: number | null;
  readonly result: ReceiverResult;
  readonly failReason: string | null;
  readonly detailId: string | null;
}

export type RecordedSharing =
  | {
      readonly kind: 'recorded';
      readonly status: SharingStatus | 'unknown_sharing';
      /** Number of an unfreeze whose run has something to do now; null when there is none. */
      readonly rest: string | null;
    }
  /** WeChat has other content under this number: it is not our sharing. */
  | { readonly kind: 'differs' };

interface ReceiverPair {
  readonly ours: Receiver;
  readonly reported: ReportedReceiver;
}

/**
 * Records what WeChat reported: each receiver's result as soon as WeChat has decided it, and when
 * all are decided, what follows. FINISHED is not success: receivers that WeChat has closed open an
 * intervention.
 *
 * @param report.attempt the one that WeChat responded to; null after a query
 */
export async function recordSharingReport(
  context: DatabaseContext,
  scope: TxScope,
  outOrderNo: string,
  report: SharingReport & { readonly attempt: AcceptedAttempt | null },
): Promise<RecordedSharing> {
  const { tx, now } = scope;
  const sharing = await lockSharing(tx, outOrderNo);
  const recorded = (status: SharingStatus | 'unknown_sharing', rest: string | null = null) =>
    ({ kind: 'recorded', status, rest }) as const;
  if (!sharing) return recorded('unknown_sharing');
  const receivers = await readReceivers(context, tx, outOrderNo);
  const pairs = pairReceivers(receivers, report);
  if (!pairs) {
    await refuseForeignAttempts(scope, sharingAttempts(outOrderNo, sharing.kind));
    return { kind: 'differs' };
  }
  if (report.attempt) await acceptAttempt(scope, 'profit_sharing_attempts', report.attempt);
  if (sharing.status === 'finished' || sharing.status === 'closed') return recorded(sharing.status);
  const decided = pairs.filter(
    ({ ours, reported }) => ours.result === 'PENDING' && reported.result !== 'PENDING',
  );
  await recordResults(scope, sharing, decided);
  const pending = receivers.filter(({ result }) => result === 'PENDING').length - decided.length;
  const isFinished = report.finished && pending === 0;
  await tx.profitSharing.updateMany({
    where: { outOrderNo, status: sharing.status },
    data: {
      status: isFinished ? 'finished' : 'processing',
      nextQueryAt: isFinished ? null : report.nextQueryAt,
      dueAt: isFinished ? null : new Date(report.nextQueryAt.getTime() + DUE_GRACE_MS),
      ...(report.orderId === null ? {} : { orderId: report.orderId }),
      ...(sharing.acceptedAt === null ? { acceptedAt: now } : {}),
      ...(isFinished ? { finishedAt: now } : {}),
    },
  });
  // Any report shows that the sending did not fail.
  await endInterventions(tx, {
    outTradeNo: sharing.outTradeNo,
    reasons: ['sharing_failed'],
    subjects: [outOrderNo],
    now,
  });
  return isFinished
    ? recorded('finished', await finish(context, scope, sharing, report.source))
    : recorded('processing');
}

/**
 * Our receivers, each with what WeChat reported of it. While WeChat works on a sharing it need not
 * name them all.
 * @returns null when WeChat reports other receivers, or other amounts
 */
function pairReceivers(
  receivers: readonly Receiver[],
  report: SharingReport,
): ReceiverPair[] | null {
  const pairs = receivers.map((ours): ReceiverPair | null => {
    const reported = report.receivers.find(
      ({ type, account }) => type === ours.type && account === ours.account,
    );
    if (!reported && !report.finished) {
      return { ours, reported: { ...ours, result: 'PENDING', detailId: null } };
    }
    const isOurs = reported && (reported.amountFen ?? ours.amountFen) === ours.amountFen;
    return isOurs ? { ours, reported } : null;
  });
  const found = pairs.filter((pair) => pair !== null);
  return found.length === receivers.length ? found : null;
}

async function recordResults(
  { tx }: TxScope,
  sharing: LockedSharing,
  decided: readonly ReceiverPair[],
): Promise<void> {
  let closedFen = 0;
  // Each paid receiver becomes known. All write these rows in one order, so that none deadlocks.
  const inOrder = decided.toSorted((a, b) => (a.ours.account < b.ours.account ? -1 : 1));
  for (const { ours, reported } of inOrder) {
    const { result, failReason, detailId } = reported;
    await tx.profitSharingReceiver.updateMany({
      where: { id: ours.id, result: 'PENDING' },
      data: { result, failReason, detailId },
    });
    if (result === 'CLOSED') closedFen += ours.amountFen;
  }
  await freeSharedAmount(tx, sharing.transactionKey, closedFen);
}

/** @returns the number of the unfreeze that follows; null when none does */
async function finish(
  context: DatabaseContext,
  scope: TxScope,
  sharing: LockedSharing,
  source: SharingReport['source'],
): Promise<string | null> {
  if (sharing.kind === 'unfreeze') {
    await closeUnfreezeAtDeadline(scope, sharing);
    return null;
  }
  const receivers = await readReceivers(context, scope.tx, sharing.outOrderNo);
  await writeSharingDelivery(context, scope, sharing, receivers);
  if (receivers.some(({ result }) => result === 'CLOSED')) {
    await openClosedIntervention(scope, sharing, receivers, source);
    return null;
  }
  return sharing.unfreezeRest ? addUnfreezeOfRest(context, scope, sharing) : null;
}

/** Writes the webhook that gives the shop each receiver's result; the order's run sends it. */
async function writeSharingDelivery(
  context: DatabaseContext,
  { tx, now }: TxScope,
  { outTradeNo, outOrderNo }: LockedSharing,
  receivers: readonly Receiver[],
): Promise<void> {
  const order = await lockOrder(tx, outTradeNo);
  if (!order) throw new Error(`Sharing ${outOrderNo} belongs to no order`);
  await addSharingDelivery(context, tx, order, { outOrderNo, receivers, now });
  const dueAt = new Date(now.getTime() + DUE_GRACE_MS);
  await tx.order.updateMany({ where: { outTradeNo, dueAt: null }, data: { dueAt } });
}

/** WeChat closed receivers: a person decides whether they get their share under a new number. */
async function openClosedIntervention(
  { tx, now }: TxScope,
  sharing: LockedSharing,
  receivers: readonly Receiver[],
  source: SharingReport['source'],
): Promise<void> {
  const closed = receivers.filter(({ result }) => result === 'CLOSED');
  const amountFen = closed.reduce((sum, one) => sum + one.amountFen, 0);
  await openIntervention(tx, {
    outTradeNo: sharing.outTradeNo,
    ours: true,
    reason: 'sharing_failed',
    subject: sharing.outOrderNo,
    evidence: {
      out_order_no: sharing.outOrderNo,
      transaction_id: sharing.transactionId,
      source,
      amount: amountFen,
      receivers: receivers.map(({ line, type, amountFen: amount, result, failReason }) => ({
        line,
        type,
        amount,
        result,
        fail_reason: failReason,
      })),
    },
    amountFen,
    now,
  });
}
