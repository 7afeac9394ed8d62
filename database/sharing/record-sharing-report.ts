import type { ReceiverResult, SharingStatus } from '../../domain/sharing/profit-sharing';
import { DUE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { addSharingDelivery } from '../outbound/write-deliveries';
import { endInterventions, openIntervention } from '../interventions/open-intervention';
import { lockOrder } from '../core/order-row';
import { settleForeignAttempts, settleSharingAttempt } from './sharing-attempts';
import { addUnfreezeOfRest } from './hold-sharing';
import { lockSharing, readReceivers, type Receiver, type LockedSharing } from './lock-sharing';

/** What WeChat said of a sharing, or of an unfreeze. */
export interface SharingReport {
  readonly orderId: string | null;
  readonly finished: boolean;
  readonly receivers: readonly ReportedReceiver[];
  /** When WeChat is asked again, while it works on it. */
  readonly nextQueryAt: Date;
  readonly source: 'answer' | 'query';
}

export interface ReportedReceiver {
  readonly type: string;
  readonly account: string;
  readonly amountFen: number;
  readonly result: ReceiverResult;
  readonly failReason: string | null;
  readonly detailId: string | null;
}

export type RecordedSharing =
  | {
      readonly kind: 'booked';
      readonly status: SharingStatus | 'unknown_sharing';
      /** An unfreeze whose run has something to do now. */
      readonly rest: string | null;
    }
  /** WeChat has other content under this number: it is not our sharing. */
  | { readonly kind: 'differs' };

interface Decided {
  readonly ours: Receiver;
  readonly told: ReportedReceiver;
}

/**
 * Books what WeChat said: each receiver's result as soon as it is decided, and when all are, what follows.
 * FINISHED is not success: receivers that WeChat has closed are asked about.
 */
export async function recordSharingReport(
  context: DatabaseContext,
  tx: Tx,
  outOrderNo: string,
  word: SharingReport,
  attempt: { readonly id: string; readonly requestId: string | null } | null,
  now: Date,
): Promise<RecordedSharing> {
  const row = await lockSharing(tx, outOrderNo);
  const booked = (status: SharingStatus | 'unknown_sharing', rest: string | null = null) =>
    ({ kind: 'booked', status, rest }) as const;
  if (!row) return booked('unknown_sharing');
  const receivers = await readReceivers(context, tx, outOrderNo);
  const told = matched(receivers, word);
  if (!told) {
    await settleForeignAttempts(tx, { outOrderNo, operation: row.kind }, now);
    return { kind: 'differs' };
  }
  if (attempt) await settleSharingAttempt(tx, attempt.id, 'accepted', null, attempt.requestId, now);
  if (row.status === 'finished' || row.status === 'closed') return booked(row.status);
  const decided = told.filter(
    (one) => one.ours.result === 'PENDING' && one.told.result !== 'PENDING',
  );
  await bookResults(tx, row, decided);
  const pending = receivers.filter(({ result }) => result === 'PENDING').length - decided.length;
  const isFinished = word.finished && pending === 0;
  await tx.profitSharing.updateMany({
    where: { outOrderNo, status: row.status },
    data: {
      status: isFinished ? 'finished' : 'processing',
      nextQueryAt: isFinished ? null : word.nextQueryAt,
      dueAt: isFinished ? null : new Date(word.nextQueryAt.getTime() + DUE_GRACE_MS),
      ...(word.orderId === null ? {} : { orderId: word.orderId }),
      ...(row.acceptedAt === null ? { acceptedAt: now } : {}),
      ...(isFinished ? { finishedAt: now } : {}),
    },
  });
  // Whatever WeChat says answers whether the sending failed.
  await endInterventions(tx, row.outTradeNo, ['sharing_failed'], now, outOrderNo);
  return isFinished
    ? booked('finished', await finish(context, tx, row, word, now))
    : booked('processing');
}

/**
 * Our receivers with what was told of them; null when WeChat speaks of others. While it works on a sharing it
 * need not name them all.
 */
function matched(receivers: readonly Receiver[], word: SharingReport): Decided[] | null {
  const pairs = receivers.map((ours): Decided | null => {
    const told = word.receivers.find(
      ({ type, account }) => type === ours.type && account === ours.account,
    );
    if (!told && !word.finished)
      return { ours, told: { ...ours, result: 'PENDING', detailId: null } };
    return told?.amountFen === ours.amountFen ? { ours, told } : null;
  });
  const found = pairs.filter((pair) => pair !== null);
  return found.length === receivers.length ? found : null;
}

async function bookResults(tx: Tx, row: LockedSharing, decided: readonly Decided[]): Promise<void> {
  let freed = 0;
  for (const { ours, told } of decided) {
    await tx.profitSharingReceiver.updateMany({
      where: { id: ours.id, result: 'PENDING' },
      data: { result: told.result, failReason: told.failReason, detailId: told.detailId },
    });
    if (told.result === 'CLOSED') freed += ours.amountFen;
  }
  await freeSharedAmount(tx, row.transactionKey, freed);
}

/** What is not shared, or was taken back, can be shared or refunded anew. */
export async function freeSharedAmount(tx: Tx, transactionKey: string, amountFen: number): Promise<void> {
  if (amountFen === 0) return;
  await tx.paymentTransaction.updateMany({
    where: { id: transactionKey },
    data: { sharedFen: { decrement: amountFen } },
  });
}

/** @returns the unfreeze that follows */
async function finish(
  context: DatabaseContext,
  tx: Tx,
  row: LockedSharing,
  word: SharingReport,
  now: Date,
): Promise<string | null> {
  if (row.kind === 'unfreeze') {
    await supersedeDeadline(tx, row, now);
    return null;
  }
  const receivers = await readReceivers(context, tx, row.outOrderNo);
  await writeSharingDelivery(context, tx, row, receivers, now);
  const closed = receivers.filter(({ result }) => result === 'CLOSED');
  if (closed.length > 0) {
    await openClosedIntervention(tx, row, receivers, word.source, now);
    return null;
  }
  return row.unfreezeRest ? addUnfreezeOfRest(context, tx, row, now) : null;
}

/** The shop hears what became of each receiver; the order's run sends it. */
async function writeSharingDelivery(
  context: DatabaseContext,
  tx: Tx,
  row: LockedSharing,
  receivers: readonly Receiver[],
  now: Date,
): Promise<void> {
  const { outTradeNo, outOrderNo } = row;
  const order = await lockOrder(tx, outTradeNo);
  if (!order) throw new Error(`Sharing ${outOrderNo} belongs to no order`);
  await addSharingDelivery(context, tx, order, { outOrderNo, receivers, now });
  const dueAt = new Date(now.getTime() + DUE_GRACE_MS);
  await tx.order.updateMany({ where: { outTradeNo, dueAt: null }, data: { dueAt } });
}

async function openClosedIntervention(
  tx: Tx,
  row: LockedSharing,
  receivers: readonly Receiver[],
  source: string,
  now: Date,
): Promise<void> {
  const closed = receivers.filter(({ result }) => result === 'CLOSED');
  const amountFen = closed.reduce((sum, one) => sum + one.amountFen, 0);
  await openIntervention(tx, {
    outTradeNo: row.outTradeNo,
    ours: true,
    reason: 'sharing_failed',
    subject: row.outOrderNo,
    evidence: {
      out_order_no: row.outOrderNo,
      transaction_id: row.transactionId,
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

/** The rest is unfrozen: the payment's deadline has nothing to do any more. */
async function supersedeDeadline(tx: Tx, row: LockedSharing, now: Date): Promise<void> {
  await tx.profitSharing.updateMany({
    where: {
      transactionKey: row.transactionKey,
      origin: 'deadline',
      status: 'pending',
      outOrderNo: { not: row.outOrderNo },
      attempts: { none: {} },
    },
    data: { status: 'closed', closedAt: now, dueAt: null },
  });
}
