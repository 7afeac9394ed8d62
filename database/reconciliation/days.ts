// The row of each day that is reconciled: made, begun, finished or failed.
import { addDays, billDateAt, daysToReconcile } from '../../domain/reconciliation/bill-days';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import { formatSubject } from '../../domain/interventions/subjects';
import type { DatabaseContext, Tx } from '../core/context';
import { openIntervention } from '../interventions/open-intervention';

/** A sweep that started a run looks again after this, in case the run is gone. */
const LEASE_MS = 5 * 60_000;
/** So many days before today are reconciled by themselves. */
const LAST_DAYS = 7;

/** A day whose run has something to do. */
export interface OpenDay {
  readonly billDate: BillDate;
  /** Counts the runs of the day; a rerun adds one. */
  readonly run: number;
}

/** Why a run ended without a result. */
export interface DayFailure {
  /** One sentence for a person, without personal data. */
  readonly error: string;
  /** Facts for the intervention. */
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** The rows of the days: they are the promise, and Temporal's runs follow them. */
export function createReconciliationDays(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Writes the rows of the last seven days that have none, and requests those again that have a
     * refund on which WeChat was still working. Days before the first order have nothing to
     * compare.
     * @returns every day whose run has something to do, the oldest first
     */
    plan: (nowMs: number): Promise<BillDate[]> => planDays(context, nowMs),

    /**
     * Requests the reconciliation of a day, also of one that was done.
     * @returns false when it is under way already
     */
    request: (date: BillDate, nowMs: number): Promise<boolean> =>
      prisma.$transaction((tx) => requestReconciliation(tx, date, new Date(nowMs))),

    /** Begins or goes on with the run of a day. @returns null when nothing is left to do */
    begin: async (date: BillDate, nowMs: number): Promise<OpenDay | null> => {
      const [row] = await prisma.$queryRaw<OpenDay[]>`
        UPDATE reconciliations SET started_at = coalesce(started_at, ${new Date(nowMs)})
        WHERE bill_date = ${date} AND due_at IS NOT NULL
        RETURNING bill_date AS "billDate", run`;
      return row ?? null;
    },

    /** Counts a bill that did not have the announced hash. @returns how many this run has seen */
    countWrongHash: async (date: BillDate): Promise<number> => {
      const { wrongHashes } = await prisma.reconciliation.update({
        where: { billDate: date },
        data: { wrongHashes: { increment: 1 } },
        select: { wrongHashes: true },
      });
      return wrongHashes;
    },

    /** Ends the run of a day without a result, and opens an intervention about its bill. */
    fail: (date: BillDate, failure: DayFailure, nowMs: number): Promise<void> =>
      prisma.$transaction((tx) => failDay(tx, date, failure, new Date(nowMs))),

    /** Leases days whose run was not started, or may be gone. */
    lease: (limit: number, nowMs: number): Promise<{ readonly billDate: BillDate }[]> =>
      prisma.$queryRaw`
        UPDATE reconciliations SET lease_until = ${new Date(nowMs + LEASE_MS)}
        WHERE bill_date IN (
          SELECT bill_date FROM reconciliations
          WHERE due_at <= ${new Date(nowMs)}
            AND (lease_until IS NULL OR lease_until <= ${new Date(nowMs)})
          ORDER BY due_at LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING bill_date AS "billDate"`,

    /** Returns days whose run could not be started. */
    returnLeased: async (days: readonly { readonly billDate: BillDate }[]): Promise<void> => {
      const billDates = days.map(({ billDate }) => billDate);
      await prisma.reconciliation.updateMany({
        where: { billDate: { in: billDates } },
        data: { leaseUntil: null },
      });
    },
  };
}

async function planDays(context: DatabaseContext, nowMs: number): Promise<BillDate[]> {
  const { prisma } = context;
  const { _min } = await prisma.order.aggregate({ _min: { createdAt: true } });
  const first = _min.createdAt === null ? null : billDateAt(_min.createdAt.getTime());
  const days = daysToReconcile(nowMs, first);
  if (days.length === 0) return [];
  const now = new Date(nowMs);
  const oldest = addDays(billDateAt(nowMs), -LAST_DAYS);
  for (const { billDate } of await daysWithRefundsUnderWay(context, oldest)) {
    await prisma.$transaction((tx) => requestReconciliation(tx, billDate, now));
  }
  await prisma.reconciliation.createMany({
    data: days.map((billDate) => ({ billDate, dueAt: now, createdAt: now })),
    skipDuplicates: true,
  });
  const open = await prisma.reconciliation.findMany({
    where: { dueAt: { not: null }, billDate: { gte: oldest } },
    select: { billDate: true },
    orderBy: { billDate: 'asc' },
  });
  return open.map(({ billDate }) => billDate as BillDate);
}

/**
 * The days that are done, with an open difference about a refund that WeChat was carrying out when
 * it made the bill. No notice of it may ever come, so a rerun queries it (docs/decisions/0044). A
 * day that failed has its own intervention, so it is left to a person.
 */
const daysWithRefundsUnderWay = (
  { prisma }: DatabaseContext,
  oldest: BillDate,
): Promise<{ readonly billDate: BillDate }[]> =>
  prisma.$queryRaw`
    SELECT DISTINCT d.bill_date AS "billDate" FROM reconciliation_differences d
    JOIN reconciliations r ON r.bill_date = d.bill_date AND r.status = 'done'
    WHERE d.bill_date >= ${oldest} AND d.type IN ('refund_missing_here', 'refund_status')
      AND d.status = 'open' AND d.theirs->>'status' = 'PROCESSING'
    ORDER BY d.bill_date`;

/**
 * Requests the reconciliation of a day in a transaction of the caller. Its row is due at once, so
 * that the sweep starts its run.
 * @returns false when it is under way already
 */
export async function requestReconciliation(tx: Tx, date: BillDate, now: Date): Promise<boolean> {
  const under = await tx.reconciliation.count({
    where: { billDate: date, dueAt: { not: null } },
  });
  if (under > 0) return false;
  const requested = await tx.$executeRaw`
    INSERT INTO reconciliations AS r (bill_date, due_at, created_at)
    VALUES (${date}, ${now}, ${now})
    ON CONFLICT (bill_date) DO UPDATE SET status = 'waiting', run = r.run + 1,
      due_at = excluded.due_at, lease_until = NULL, wrong_hashes = 0, error = NULL,
      started_at = NULL, finished_at = NULL
    WHERE r.due_at IS NULL`;
  return requested === 1;
}

async function failDay(tx: Tx, date: BillDate, failure: DayFailure, now: Date): Promise<void> {
  const { error, evidence } = failure;
  const { count } = await tx.reconciliation.updateMany({
    where: { billDate: date, dueAt: { not: null } },
    data: { status: 'failed', error, dueAt: null, leaseUntil: null, finishedAt: now },
  });
  if (count === 0) return;
  await openBillIntervention(tx, date, { error, ...evidence }, now);
}

/**
 * Opens the one intervention about the bill of a day.
 * @returns its id, or the id of the one that is open already
 */
export async function openBillIntervention(
  tx: Tx,
  date: BillDate,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<string> {
  const subject = formatSubject('bill', date);
  await openIntervention(tx, {
    outTradeNo: null,
    ours: false,
    reason: 'reconciliation',
    subject,
    evidence: { bill_date: date, ...evidence },
    now,
  });
  const open = await tx.intervention.findFirstOrThrow({
    where: { outTradeNo: null, reason: 'reconciliation', subject, status: 'open' },
    select: { id: true },
  });
  return open.id;
}

/** The day before and the day after, whose rows near midnight wait for this day's bill. */
export const neighboursOf = (date: BillDate): readonly [BillDate, BillDate] => [
  addDays(date, -1),
  addDays(date, 1),
];
