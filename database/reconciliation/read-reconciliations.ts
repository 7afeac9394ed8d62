// Reads the reconciliations and their differences, for the api and its metrics.
import type { BillDate } from '../../domain/reconciliation/bill-days';
import type {
  DifferenceSide,
  DifferenceStatus,
  DifferenceType,
  ListedType,
  ReconciliationStatus,
} from '../../domain/reconciliation/differences';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';
import type { BillFacts, Total } from './stage-lines';

/** The sums of a fund-flow bill, in fen. */
export interface FundFlowFacts {
  readonly sha1: string;
  readonly lines: number;
  readonly in_fen: number;
  readonly out_fen: number;
  readonly fee_fen: number;
}

/** The reconciliation of a day. */
export interface ReconciliationView {
  readonly billDate: BillDate;
  readonly status: ReconciliationStatus;
  /** null until the bill is there. */
  readonly bill: BillFacts | null;
  readonly fundFlow: FundFlowFacts | null;
  /** null until the bill was compared. */
  readonly ours: { readonly payments: Total; readonly refunds: Total } | null;
  readonly differences: Readonly<Partial<Record<DifferenceType, number>>>;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly error: string | null;
}

/** A difference of a day. */
export interface DifferenceView {
  readonly id: string;
  readonly billDate: BillDate;
  readonly type: ListedType;
  readonly status: DifferenceStatus;
  readonly outTradeNo: string | null;
  readonly transactionId: string | null;
  readonly outRefundNo: string | null;
  readonly ours: DifferenceSide | null;
  readonly theirs: DifferenceSide | null;
  readonly since: Date;
  readonly interventionId: string | null;
}

export interface DifferenceFilter {
  readonly billDate: BillDate;
  readonly type: string | null;
  readonly status: DifferenceStatus | null;
  /** The last row of the page before. */
  readonly after: { readonly since: Date; readonly id: string } | null;
  readonly limit: number;
}

const COLUMNS = {
  billDate: true,
  status: true,
  bill: true,
  fundFlow: true,
  ours: true,
  differences: true,
  startedAt: true,
  finishedAt: true,
  error: true,
} as const;

/** The reads of reconciliations; each is found by an index. */
export function createReconciliationReading({ prisma }: DatabaseContext) {
  return {
    /**
     * Lists reconciliations, the newest day first.
     * @param before the last day of the page before; null for the first page
     */
    list: async (before: BillDate | null, limit: number): Promise<ReconciliationView[]> => {
      const rows = await prisma.reconciliation.findMany({
        where: before === null ? {} : { billDate: { lt: before } },
        select: COLUMNS,
        orderBy: { billDate: 'desc' },
        take: limit,
      });
      return rows as unknown as ReconciliationView[];
    },

    /** @returns null when the day was never reconciled */
    find: async (billDate: BillDate): Promise<ReconciliationView | null> =>
      (await prisma.reconciliation.findUnique({
        where: { billDate },
        select: COLUMNS,
      })) as unknown as ReconciliationView | null,

    /** One page of the differences of a day, the oldest first. */
    listDifferences: (filter: DifferenceFilter): Promise<DifferenceView[]> => {
      const { billDate, type, status, after, limit } = filter;
      const conditions = [Prisma.sql`bill_date = ${billDate}`];
      if (type !== null) conditions.push(Prisma.sql`type = ${type}`);
      if (status !== null) conditions.push(Prisma.sql`status = ${status}`);
      if (after) conditions.push(Prisma.sql`(since, id) > (${after.since}, ${after.id}::uuid)`);
      return prisma.$queryRaw`
        SELECT id::text, bill_date AS "billDate", type, status, out_trade_no AS "outTradeNo",
          transaction_id AS "transactionId", out_refund_no AS "outRefundNo", ours, theirs, since,
          intervention_id::text AS "interventionId"
        FROM reconciliation_differences WHERE ${Prisma.join(conditions, ' AND ')}
        ORDER BY since, id LIMIT ${limit}`;
    },

    /** Counts the open differences of each type, for the metrics. */
    openByType: (): Promise<{ readonly type: string; readonly count: number }[]> =>
      prisma.$queryRaw`
        SELECT type, count(*)::int AS count FROM reconciliation_differences
        WHERE status = 'open' GROUP BY type`,
  };
}
