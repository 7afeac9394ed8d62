// Helps tests of hung runs: runs that no worker carries out.
import { randomUUID } from 'node:crypto';
import type { TestOncepay } from '../../support/oncepay';

/** Puts a run that no worker carries out in the place of a working one. */
export async function blockRun(
  { temporal }: TestOncepay,
  workflowId: string,
  type: string,
  argument: string,
): Promise<void> {
  await temporal.workflow.getHandle(workflowId).terminate('by hand');
  const taskQueue = `nobody-${randomUUID()}`;
  await temporal.workflow.start(type, { workflowId, taskQueue, args: [argument] });
}

/** The attempts that count for this number, by operation. */
export async function spentOf(
  { sql }: TestOncepay,
  number: string,
): Promise<Record<string, number>> {
  const { rows } = await sql.query<{ operation: string; attempts: number }>(
    'SELECT operation, attempts FROM retry_budgets WHERE number = $1',
    [number],
  );
  return Object.fromEntries(rows.map(({ operation, attempts }) => [operation, attempts]));
}

/**
 * A paid order whose run doesn't learn of its payment and whose budget is spent. @returns its
 * number
 */
export async function hungOrder(oncepay: TestOncepay): Promise<string> {
  const no = await oncepay.newOrder();
  await blockRun(oncepay, no, 'orderWorkflow', no);
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await oncepay.sql.query(
    `INSERT INTO retry_budgets (number, operation, subject, attempts, last_code, updated_at)
     VALUES ($1, 'wechat.close', 'close', 5, 'SYSTEM_ERROR', now())`,
    [no],
  );
  return no;
}
