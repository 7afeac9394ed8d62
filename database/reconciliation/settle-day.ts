// Opens and ends the interventions about the differences of a day, and finishes the day.
import { DIFFERENCE_TYPES, typesSettledBy } from '../../domain/reconciliation/differences';
import type { DifferenceSide, ListedType } from '../../domain/reconciliation/differences';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import { formatSubject } from '../../domain/interventions/subjects';
import type { DatabaseContext, Tx } from '../core/context';
import { lockOrder } from '../core/lock-order';
import { endInterventions, openIntervention } from '../interventions/open-intervention';
import { addReconciliationDelivery } from '../outbound/add-deliveries';
import { neighboursOf, openBillIntervention } from './days';

/** A difference that waits for a person or a repair. */
export interface OpenDifference {
  readonly id: string;
  readonly billDate: BillDate;
  readonly type: ListedType;
  readonly outTradeNo: string | null;
  readonly transactionId: string | null;
  readonly outRefundNo: string | null;
  readonly ours: DifferenceSide | null;
  readonly theirs: DifferenceSide | null;
}

/**
 * More differences than these in a day have one cause, like a wrong merchant number: they have one
 * intervention about the bill, because nobody can look at each.
 */
export const MAX_SINGLE_INTERVENTIONS = 200;
/** Ended in one statement. */
const MAX_ENDED = 1_000;

const OF_BILL = typesSettledBy('bill');

/**
 * Opens an intervention for each open difference that has none, and ends those whose differences
 * are settled; also of the days beside it, whose rows near midnight this day's bill has decided.
 * A report that waits for its run is a promise: its difference has no intervention yet.
 */
export async function settleDifferences(
  context: DatabaseContext,
  date: BillDate,
  now: Date,
): Promise<void> {
  for (const day of [date, ...neighboursOf(date)]) {
    const undecided = await findUndecided(context, day);
    const single = undecided.filter(({ type }) => DIFFERENCE_TYPES[type] !== 'bill');
    const isTooMany = single.length > MAX_SINGLE_INTERVENTIONS;
    for (const difference of isTooMany ? [] : single) await openSingle(context, difference, now);
    const ofBill = isTooMany ? undecided : undecided.filter((one) => !single.includes(one));
    if (ofBill.length > 0) await openOfBill(context, day, isTooMany ? null : ofBill, now);
    await endSettled(context, day, now);
  }
}

/** Open differences without an open intervention, up to a bound that is one above the limit. */
async function findUndecided(
  { prisma }: DatabaseContext,
  date: BillDate,
): Promise<OpenDifference[]> {
  return prisma.$queryRaw<OpenDifference[]>`
    SELECT d.id::text, d.bill_date AS "billDate", d.type, d.out_trade_no AS "outTradeNo",
      d.transaction_id AS "transactionId", d.out_refund_no AS "outRefundNo", d.ours, d.theirs
    FROM reconciliation_differences d
    WHERE d.bill_date = ${date} AND d.status = 'open'
      AND NOT EXISTS (SELECT FROM interventions i
        WHERE i.id = d.intervention_id AND i.status = 'open')
      AND NOT EXISTS (SELECT FROM notification_inbox n
        WHERE n.out_trade_no = d.out_trade_no AND n.source = 'bill' AND n.verdict IS NULL)
    ORDER BY d.type = ANY(${OF_BILL}), d.since, d.id
    LIMIT ${2 * MAX_SINGLE_INTERVENTIONS}`;
}

async function openSingle(
  { prisma }: DatabaseContext,
  difference: OpenDifference,
  now: Date,
): Promise<void> {
  const { id, outTradeNo, ours, theirs } = difference;
  if (outTradeNo === null) return;
  const subject = difference.outRefundNo ?? difference.transactionId ?? `difference:${id}`;
  await prisma.$transaction(async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    const still = await tx.reconciliationDifference.count({ where: { id, status: 'open' } });
    if (still === 0) return;
    const amountFen = Math.max(ours?.amount_fen ?? 0, theirs?.amount_fen ?? 0);
    await openIntervention(tx, {
      outTradeNo,
      ours: order !== null,
      reason: 'reconciliation',
      subject,
      evidence: evidenceOf(difference),
      amountFen: amountFen > 0 ? amountFen : null,
      now,
    });
    const open = await tx.intervention.findFirstOrThrow({
      where: { outTradeNo, reason: 'reconciliation', subject, status: 'open' },
      select: { id: true },
    });
    await tx.reconciliationDifference.updateMany({
      where: { id, status: 'open' },
      data: { interventionId: open.id },
    });
  });
}

const evidenceOf = (difference: OpenDifference) => ({
  bill_date: difference.billDate,
  type: difference.type,
  transaction_id: difference.transactionId,
  ...(difference.outRefundNo === null ? {} : { out_refund_no: difference.outRefundNo }),
  ours: difference.ours,
  theirs: difference.theirs,
});

/** @param differences null: all open ones that have no open intervention */
async function openOfBill(
  { prisma }: DatabaseContext,
  date: BillDate,
  differences: readonly OpenDifference[] | null,
  now: Date,
): Promise<void> {
  await prisma.$transaction(async (tx) => {
    const open = await tx.reconciliationDifference.groupBy({
      by: ['type'],
      where: { billDate: date, status: 'open' },
      _count: true,
    });
    const counts = Object.fromEntries(open.map(({ type, _count }) => [type, _count]));
    const id = await openBillIntervention(tx, date, { differences: counts }, now);
    const which =
      differences === null
        ? { billDate: date, OR: [{ intervention: null }, { intervention: NOT_OPEN }] }
        : { id: { in: differences.map((one) => one.id) } };
    await tx.reconciliationDifference.updateMany({
      where: { ...which, status: 'open' },
      data: { interventionId: id },
    });
  });
}

const NOT_OPEN = { status: { not: 'open' } } as const;

/** Ends the interventions whose differences are all settled. */
async function endSettled({ prisma }: DatabaseContext, date: BillDate, now: Date): Promise<void> {
  await prisma.$executeRaw`
    UPDATE interventions SET status = 'resolved', resolved_at = ${now}, resolution = 'moot'
    WHERE status = 'open' AND id IN (
      SELECT i.id FROM interventions i
      WHERE i.status = 'open' AND i.id IN (
        SELECT d.intervention_id FROM reconciliation_differences d
        WHERE d.bill_date = ${date} AND d.status = 'repaired' AND d.intervention_id IS NOT NULL)
        AND NOT EXISTS (SELECT FROM reconciliation_differences d
          WHERE d.intervention_id = i.id AND d.status IN ('open', 'waiting'))
      ORDER BY i.since LIMIT ${MAX_ENDED} FOR NO KEY UPDATE SKIP LOCKED)`;
}

/** A day whose comparison is complete. */
export interface FinishedDay {
  readonly billDate: BillDate;
  readonly run: number;
  readonly differences: Readonly<Record<string, number>>;
}

/**
 * Finishes a day: counts its differences, and writes the webhook with the result. The intervention
 * about a bill that could not be had ends with it.
 * @returns null when the day was finished before
 */
export function finishDay(
  context: DatabaseContext,
  date: BillDate,
  now: Date,
): Promise<FinishedDay | null> {
  return context.prisma.$transaction(async (tx) => {
    const [row] = await tx.$queryRaw<{ run: number; foreign: number }[]>`
      SELECT run, coalesce((bill->>'foreign')::int, 0) AS foreign FROM reconciliations
      WHERE bill_date = ${date} AND due_at IS NOT NULL FOR NO KEY UPDATE`;
    if (!row) return null;
    const differences = await countDifferences(tx, date, row.foreign);
    await tx.reconciliation.updateMany({
      where: { billDate: date },
      data: {
        status: 'done',
        differences,
        error: null,
        dueAt: null,
        leaseUntil: null,
        finishedAt: now,
      },
    });
    const subject = formatSubject('bill', date);
    const left = await tx.reconciliationDifference.count({
      where: { billDate: date, status: 'open', intervention: { subject, status: 'open' } },
    });
    if (left === 0) {
      const ended = { outTradeNo: null, reasons: ['reconciliation'], subjects: [subject] } as const;
      await endInterventions(tx, { ...ended, now });
    }
    const finished = { billDate: date, run: row.run, differences };
    await addReconciliationDelivery(context, tx, { ...finished, now });
    return finished;
  });
}

/**
 * Ends a webhook about a day that was refused too often, and opens an intervention about its bill:
 * `retry` makes a new run of the day, with a webhook of its own.
 */
export function abandonWebhook(
  { prisma }: DatabaseContext,
  date: BillDate,
  delivery: { readonly id: string; readonly error: string },
  now: Date,
): Promise<void> {
  const { id, error } = delivery;
  return prisma.$transaction(async (tx) => {
    const { count } = await tx.delivery.updateMany({
      where: { id, kind: 'webhook', status: 'pending' },
      data: { status: 'failed', lastError: error },
    });
    if (count === 0) return;
    const why = 'The webhook reconciliation.done could not be delivered';
    await openBillIntervention(tx, date, { error: why, message: error, delivery: id }, now);
  });
}

async function countDifferences(
  tx: Tx,
  date: BillDate,
  foreign: number,
): Promise<Record<string, number>> {
  const rows = await tx.reconciliationDifference.groupBy({
    by: ['type'],
    where: { billDate: date },
    _count: true,
  });
  const counts = Object.fromEntries(rows.map(({ type, _count }) => [type, _count]));
  return foreign > 0 ? { ...counts, foreign } : counts;
}
