// Compares the staged bill of a day with our rows, in one transaction.
import type { Pool, PoolClient } from 'pg';
import {
  addDays,
  billDayStart,
  NEAR_MIDNIGHT_MS,
  type BillDate,
} from '../../domain/reconciliation/bill-days';
import { BILL_FINDERS } from './find-bill-errors';
import { PAYMENT_FINDERS } from './find-payments';
import { REFUND_FINDERS } from './find-refunds';
import { neighboursOf } from './days';
import { mergeFound, type Comparison } from './found-differences';

/** Joins a million lines in memory, on the one connection that compares. */
const WORK_MEMORY = `SET LOCAL work_mem = '64MB'`;

/** Our side of a day; a refund counts on the day on which WeChat accepted it. */
const OURS = `
  SELECT jsonb_build_object(
    'payments', (SELECT jsonb_build_object('count', count(*), 'fen', coalesce(sum(total_fen), 0))
      FROM payment_transactions WHERE provider = 'wechatpay' AND merchant_id = $1
        AND success_time >= $2 AND success_time < $3),
    'refunds', (SELECT jsonb_build_object('count', count(*), 'fen', coalesce(sum(amount_fen), 0))
      FROM refunds WHERE merchant_id = $1 AND status <> 'closed'
        AND accepted_at >= $2 AND accepted_at < $3)) AS ours`;

/**
 * Compares a day. A second comparison finds the same rows: nothing that is settled changes.
 * @param pool whose statements have the time for a large bill
 * @returns false when the run of the day has ended meanwhile
 */
export async function compareDay(
  pool: Pool,
  date: BillDate,
  merchantId: string,
  now: Date,
): Promise<boolean> {
  const client = await pool.connect();
  let failed: unknown = null;
  try {
    await client.query('BEGIN');
    await client.query(WORK_MEMORY);
    const compared = await compare(client, date, merchantId, now);
    await client.query('COMMIT');
    return compared;
  } catch (error) {
    failed = error;
    await client.query('ROLLBACK').catch(() => {
      // The first error counts; the connection is closed below.
    });
    throw error;
  } finally {
    client.release(failed !== null);
  }
}

async function compare(
  client: PoolClient,
  date: BillDate,
  merchantId: string,
  now: Date,
): Promise<boolean> {
  const open = await client.query(
    `SELECT FROM reconciliations WHERE bill_date = $1 AND due_at IS NOT NULL FOR NO KEY UPDATE`,
    [date],
  );
  if (open.rowCount !== 1) return false;
  const from = new Date(billDayStart(date));
  const to = new Date(billDayStart(addDays(date, 1)));
  const comparison: Comparison = { client, date, merchantId, from, to, now };
  for (const finder of [...PAYMENT_FINDERS, ...REFUND_FINDERS, ...BILL_FINDERS]) {
    await mergeFound(comparison, finder);
  }
  for (const day of [date, ...neighboursOf(date)]) {
    await decideWaiting(client, day, { compared: date, now });
  }
  const { rows } = await client.query<{ ours: unknown }>(OURS, [merchantId, from, to]);
  await client.query(
    `UPDATE reconciliations SET status = 'running', ours = $2 WHERE bill_date = $1`,
    [date, JSON.stringify(rows[0]?.ours)],
  );
  return true;
}

/**
 * Decides the differences of a day near midnight by the bills of the days beside it: the two clocks
 * differ. One waits while the bill on its side of midnight was not compared. A day before without a
 * row was before the first order.
 * @param when.compared the day whose bill this transaction compares
 */
async function decideWaiting(
  client: PoolClient,
  date: BillDate,
  when: { readonly compared: BillDate; readonly now: Date },
): Promise<void> {
  const [before, after] = neighboursOf(date);
  const morningEnds = new Date(billDayStart(date) + NEAR_MIDNIGHT_MS);
  await client.query(
    `WITH waiting AS MATERIALIZED (
       SELECT id, transaction_id, out_trade_no, out_refund_no, type,
         (ours->>'at')::timestamptz < $4 AS is_morning
       FROM reconciliation_differences WHERE bill_date = $1 AND status = 'waiting'
     ), found AS (
       SELECT w.id FROM waiting w JOIN reconciliation_lines l
         ON l.bill_date IN ($2, $3) AND CASE WHEN w.type = 'refund_missing_there'
           THEN l.kind = 'refund' AND l.out_refund_no = w.out_refund_no
           ELSE l.kind IN ('payment', 'reversal') AND l.transaction_id = w.transaction_id
             AND l.out_trade_no = w.out_trade_no END
     )
     UPDATE reconciliation_differences d SET
       status = CASE WHEN f.id IS NULL THEN 'open' ELSE 'repaired' END,
       settled_at = CASE WHEN f.id IS NULL THEN NULL ELSE $5::timestamptz END
     FROM waiting w LEFT JOIN (SELECT DISTINCT id FROM found) f ON f.id = w.id
     WHERE d.id = w.id AND (f.id IS NOT NULL OR CASE WHEN w.is_morning
       THEN NOT EXISTS (SELECT FROM reconciliations WHERE bill_date = $2
           AND status <> 'done' AND bill_date <> $6)
       ELSE EXISTS (SELECT FROM reconciliations WHERE bill_date = $3
           AND (status = 'done' OR bill_date = $6)) END)`,
    [date, before, after, morningEnds, when.now, when.compared],
  );
}
