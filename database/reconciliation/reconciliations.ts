// Assembles the reconciliation of WeChat's bills with our rows.
import type { Pool } from 'pg';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import type { DatabaseContext } from '../core/context';
import { readOverrides } from '../settings/runtime-settings';
import { compareDay } from './compare-day';
import { createReconciliationDays } from './days';
import { createReconciliationReading, type FundFlowFacts } from './read-reconciliations';
import { createRepairs } from './repair-differences';
import { abandonWebhook, finishDay, settleDifferences } from './settle-day';
import { stageLines, type ReadBill } from './stage-lines';

/**
 * The reconciliations.
 * @param pool for the few long statements: they have minutes, where all others have seconds
 */
export function createReconciliations(context: DatabaseContext, pool: Pool) {
  const { prisma } = context;
  return {
    ...createReconciliationDays(context),
    ...createReconciliationReading(context),
    repairs: createRepairs(context),

    /**
     * Replaces the staged lines of a day by those of a bill, as they come.
     * @returns false when the bill was thrown away, or the run has ended
     * @throws the error that broke the bill off, or the one of the database
     */
    async stage(date: BillDate, bill: ReadBill): Promise<boolean> {
      const { reconcile_foreign_prefixes: prefixes = [] } = await readOverrides(prisma);
      return stageLines(pool, date, bill, prefixes);
    },

    /** Keeps the sums of the fund-flow bill beside the trade bill. */
    keepFundFlow: async (date: BillDate, fundFlow: FundFlowFacts): Promise<void> => {
      await prisma.reconciliation.updateMany({
        where: { billDate: date },
        data: { fundFlow: { ...fundFlow } },
      });
    },

    /** Compares the staged bill with our rows. @returns false when the run has ended */
    compare: (date: BillDate, merchantId: string, nowMs: number): Promise<boolean> =>
      compareDay(pool, date, merchantId, new Date(nowMs)),

    /** Opens and ends the interventions about the differences of a day and the days beside it. */
    settle: (date: BillDate, nowMs: number): Promise<void> =>
      settleDifferences(context, date, new Date(nowMs)),

    /** Finishes a day, and writes its webhook. @returns null when it was finished before */
    finish: (date: BillDate, nowMs: number) => finishDay(context, date, new Date(nowMs)),

    /** Ends a webhook that was refused too often, and opens an intervention about its day. */
    abandonWebhook: (
      date: BillDate,
      delivery: { readonly id: string; readonly error: string },
      nowMs: number,
    ): Promise<void> => abandonWebhook(context, date, delivery, new Date(nowMs)),
  };
}
