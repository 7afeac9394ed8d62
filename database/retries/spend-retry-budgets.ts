// Counts the failed attempts of an operation, and resets the count.
import type { ErrorCode } from '../../domain/error-catalogue';
import type { RetryOperation } from '../../domain/retries/retry-policy';
import { SLOT_MS } from '../../domain/statistics/steps';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';

/** Attempts are counted for each of these keys. */
export interface BudgetKey {
  /** The number of the order, refund or sharing. */
  readonly number: string;
  readonly operation: RetryOperation;
  readonly subject: string;
}

/** Counts over all runs and workers; Temporal's own counter starts again with each run. */
export function createRetryBudgets({ prisma }: DatabaseContext) {
  return {
    /**
     * Counts a failed attempt, here and for the statistics, in one statement. A failure long after
     * the last one starts a new series.
     * @returns the failed attempts of this series, this one included
     */
    async spend(
      key: BudgetKey,
      failure: { readonly code: ErrorCode; readonly seriesEndsAfterMs: number },
      nowMs: number,
    ): Promise<number> {
      const { number, operation, subject } = key;
      const [row] = await prisma.$queryRaw<{ attempts: number }[]>`
        WITH failed AS (${countFailure(operation, failure.code, nowMs)})
        INSERT INTO retry_budgets AS b (number, operation, subject, attempts, last_code, updated_at)
        VALUES (${number}, ${operation}, ${subject}, 1, ${failure.code}, ${new Date(nowMs)})
        ON CONFLICT (number, operation, subject) DO UPDATE SET
          attempts = CASE WHEN b.updated_at < ${new Date(nowMs - failure.seriesEndsAfterMs)}
            THEN 1 ELSE b.attempts + 1 END,
          last_code = excluded.last_code, updated_at = excluded.updated_at
        RETURNING attempts`;
      return row?.attempts ?? 1;
    },

    /** Counts a failed attempt for the statistics alone, where its own row counts the attempts. */
    async count(operation: RetryOperation, code: ErrorCode, nowMs: number): Promise<void> {
      await prisma.$executeRaw(countFailure(operation, code, nowMs));
    },
  };
}

/** Adds a failure to those of its operation and code in the same five minutes. */
function countFailure(operation: RetryOperation, code: ErrorCode, nowMs: number): Prisma.Sql {
  const at = new Date(Math.floor(nowMs / SLOT_MS) * SLOT_MS);
  return Prisma.sql`
    INSERT INTO retry_failures AS f (at, operation, code, failures)
    VALUES (${at}, ${operation}, ${code}, 1)
    ON CONFLICT (at, operation, code) DO UPDATE SET failures = f.failures + 1`;
}

/**
 * Resets the counts of a number after the resolution `retry`: its attempts count from 1 again.
 * @param operation only this operation; all operations of the number when left out
 */
export async function resetBudgets(tx: Tx, number: string, operation?: string): Promise<void> {
  await tx.retryBudget.deleteMany({
    where: { number, ...(operation === undefined ? {} : { operation }) },
  });
}
