// Merges the differences that a comparison found with those of earlier runs of the day.
import type { PoolClient } from 'pg';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import type { ListedType } from '../../domain/reconciliation/differences';

/** The connection, the day and the times of a comparison. */
export interface Comparison {
  readonly client: PoolClient;
  readonly date: BillDate;
  /** The bill is this merchant's. */
  readonly merchantId: string;
  /** First moment of the day and of the next one. */
  readonly from: Date;
  readonly to: Date;
  readonly now: Date;
}

/** A statement that finds differences of some types. */
export interface Finder {
  readonly types: readonly ListedType[];
  /**
   * A query of `type, identity, status, out_trade_no, transaction_id, out_refund_no, ours, theirs`.
   * `$1` is the day, `$2` the merchant, `$3` and `$4` its begin and end.
   */
  readonly sql: string;
}

/** One side of a difference, as `DifferenceSide` has it. */
export const side = (amountFen: string, status: string, at: string): string =>
  `jsonb_build_object('amount_fen', ${amountFen}, 'status', ${status}, 'at',
    to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`;

/**
 * True of a row that a person or a repair has settled, while both sides are as they were. A payment
 * that was booked and is missing here again is not repaired: our books have lost it.
 */
const STAYS = `(d.ours IS NOT DISTINCT FROM excluded.ours
  AND d.theirs IS NOT DISTINCT FROM excluded.theirs AND (d.status = 'dismissed'
    OR d.status = 'repaired' AND d.type NOT IN ('payment_missing_here', 'refund_missing_here')))`;

/**
 * Writes the found differences. A difference that an earlier run found keeps its row, its id and
 * its time. A settled one stays so while both sides are as they were: a person who dismissed one
 * yuan has not dismissed ten thousand. An open one that is not found any more is repaired.
 */
export async function mergeFound(comparison: Comparison, { types, sql }: Finder): Promise<void> {
  const { client, date, merchantId, from, to, now } = comparison;
  await client.query(
    `WITH found AS MATERIALIZED (
       SELECT DISTINCT ON (type, identity) * FROM (${sql}) f ORDER BY type, identity
     ), merged AS (
       INSERT INTO reconciliation_differences AS d (id, bill_date, type, identity, status,
         out_trade_no, transaction_id, out_refund_no, ours, theirs, since)
       SELECT gen_random_uuid(), $1, type, identity, status, out_trade_no, transaction_id,
         out_refund_no, ours, theirs, $5 FROM found
       ON CONFLICT (bill_date, type, identity) DO UPDATE SET
         status = CASE WHEN ${STAYS} THEN d.status ELSE excluded.status END,
         settled_at = CASE WHEN ${STAYS} THEN d.settled_at END,
         ours = excluded.ours, theirs = excluded.theirs
     )
     UPDATE reconciliation_differences d SET status = 'repaired', settled_at = $5
     WHERE d.bill_date = $1 AND d.type = ANY($6) AND d.status IN ('open', 'waiting')
       AND $2::text IS NOT NULL AND $3::timestamptz < $4::timestamptz
       AND NOT EXISTS (SELECT FROM found f WHERE f.type = d.type AND f.identity = d.identity)`,
    [date, merchantId, from, to, now, types],
  );
}
