// Finds the days that should have been reconciled and were not.
import { formatSubject } from '../../domain/interventions/subjects';
import { billDateAt, daysOverdue, type BillDate } from '../../domain/reconciliation/bill-days';
import type { DatabaseContext } from '../core/context';
import { openBillIntervention } from '../reconciliation/days';

/** A day that was requested again has this long. */
const REQUEST_MS = 3_600_000;

/** The days whose reconciliation is missing. */
export interface MissingReconciliations {
  readonly days: readonly BillDate[];
  /** Those of them for which this call opened an intervention. */
  readonly opened: readonly BillDate[];
}

/** The reconciliations that the schedule should have brought about. */
export function createMissingReconciliations({ prisma }: DatabaseContext) {
  return {
    /**
     * Finds the days of the last seven, from the first order on, that are not done 24 hours after
     * their bill was ready, and opens an intervention about each. A day that a person
     * dismissed is left alone.
     */
    async find(nowMs: number): Promise<MissingReconciliations> {
      const { _min } = await prisma.order.aggregate({ _min: { createdAt: true } });
      const first = _min.createdAt === null ? null : billDateAt(_min.createdAt.getTime());
      const due = daysOverdue(nowMs, first);
      const rows = await prisma.reconciliation.findMany({
        where: { billDate: { in: due } },
        select: { billDate: true, status: true, dueAt: true },
      });
      const statuses = new Map(rows.map(({ billDate, status }) => [billDate, status]));
      const requested = rows.filter(({ dueAt }) => (dueAt?.getTime() ?? 0) > nowMs - REQUEST_MS);
      const underWay = new Set<string>(requested.map(({ billDate }) => billDate));
      const days = due.filter((date) => statuses.get(date) !== 'done' && !underWay.has(date));
      const opened: BillDate[] = [];
      for (const date of days) {
        const isNew = await prisma.$transaction(async (tx) => {
          const subject = formatSubject('bill', date);
          const known = await tx.intervention.count({
            where: {
              outTradeNo: null,
              subject,
              OR: [{ status: 'open' }, { resolution: 'dismiss' }],
            },
          });
          if (known > 0) return false;
          const status = statuses.get(date) ?? null;
          const evidence = { error: 'This day was not reconciled in time', status };
          await openBillIntervention(tx, date, evidence, new Date(nowMs));
          return true;
        });
        if (isNew) opened.push(date);
      }
      return { days, opened };
    },
  };
}
