// Reads the differences that a query of WeChat may repair, and records what the query said.
import { typesSettledBy } from '../../domain/reconciliation/differences';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import type { DatabaseContext } from '../core/context';
import type { OpenDifference } from './settle-day';

/** Differences that one activity repairs; the run calls again while some are left. */
export const REPAIR_BATCH = 50;

const REPAIRED_TYPES = [...typesSettledBy('query_payment'), ...typesSettledBy('query_refund')];

/** The differences that are repaired through the same workflows as callbacks. */
export function createRepairs({ prisma }: DatabaseContext) {
  return {
    /**
     * Lists open differences that a query may repair, in the order of their ids.
     * @param after id of the last one of the batch before; null for the first batch
     */
    list: (date: BillDate, after: string | null): Promise<OpenDifference[]> => prisma.$queryRaw`
      SELECT id::text, bill_date AS "billDate", type, out_trade_no AS "outTradeNo",
        transaction_id AS "transactionId", out_refund_no AS "outRefundNo", ours, theirs
      FROM reconciliation_differences
      WHERE bill_date = ${date} AND status = 'open' AND type = ANY(${REPAIRED_TYPES})
        AND (${after}::uuid IS NULL OR id > ${after}::uuid)
      ORDER BY id LIMIT ${REPAIR_BATCH}`,

    /** Records that WeChat reports by now what our row has: the bill is older. */
    agree: async (id: string, nowMs: number): Promise<void> => {
      await prisma.reconciliationDifference.updateMany({
        where: { id, status: 'open' },
        data: { status: 'repaired', settledAt: new Date(nowMs) },
      });
    },

    /** Counts the reports of a day's lines that wait for their run. */
    waiting: async (date: BillDate): Promise<number> => {
      const [row] = await prisma.$queryRaw<{ count: number }[]>`
        SELECT count(*)::int AS count FROM notification_inbox n
        WHERE n.source = 'bill' AND n.verdict IS NULL AND n.out_trade_no IN (
          SELECT out_trade_no FROM reconciliation_differences
          WHERE bill_date = ${date} AND status = 'open' AND type = ANY(${REPAIRED_TYPES}))`;
      return row?.count ?? 0;
    },
  };
}
