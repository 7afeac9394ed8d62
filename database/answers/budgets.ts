import type { Transaction } from '../context';

/**
 * A person said "again": what was spent counts no more.
 * @param number an order's or a refund's
 * @param operation one operation alone; all of the number when left out
 */
export async function forgetBudgets(
  tx: Transaction,
  number: string,
  operation?: string,
): Promise<void> {
  await tx.retryBudget.deleteMany({
    where: { number, ...(operation === undefined ? {} : { operation }) },
  });
}
