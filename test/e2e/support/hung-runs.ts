// Helps tests of hung runs, and of rows that only the patrol finds.
import { randomUUID } from 'node:crypto';
import type { TestOncepay } from '../../support/oncepay';
import { startPatrol } from './interventions';
import { paidOrder } from './refunds';

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

/** The same order, once the patrol finds that its woken run did nothing for a minute. */
export async function stuckOrder(oncepay: TestOncepay): Promise<string> {
  const no = await hungOrder(oncepay);
  for (const change of [
    `due_at = now() - interval '3 minutes'`,
    // Set after due_at, whose trigger clears it.
    `woken_at = now() - interval '61 seconds'`,
  ]) {
    await oncepay.sql.query(`UPDATE orders SET ${change} WHERE out_trade_no = $1`, [no]);
  }
  await startPatrol(oncepay);
  return no;
}

/** A paid order whose user has more points than its entries, once the patrol finds it. */
export async function wrongBalance(
  oncepay: TestOncepay,
): Promise<{ readonly no: string; readonly mend: () => Promise<void> }> {
  const no = await paidOrder(oncepay);
  const add = async (points: number) => {
    await oncepay.sql.query(
      `UPDATE points_balances SET balance = balance + $2
       WHERE user_id = (SELECT user_id FROM orders WHERE out_trade_no = $1)`,
      [no, points],
    );
  };
  await add(5);
  await startPatrol(oncepay);
  return { no, mend: () => add(-5) };
}
