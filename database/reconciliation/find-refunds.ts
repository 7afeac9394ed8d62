// Finds the refunds in which a bill and our rows differ.
import { AGREEING_REFUNDS } from '../../domain/reconciliation/differences';
import { side, type Finder } from './found-differences';

/** The pairs of statuses that agree, as a list of SQL rows. */
const AGREEING = AGREEING_REFUNDS.map(({ theirs, ours }) => `('${theirs}', '${ours}')`).join(', ');

/**
 * A refund is found by its number. A failed one that was made elsewhere has moved no money. Where
 * the statuses differ, a query says what the status is now.
 */
const LINES: Finder = {
  types: ['refund_missing_here', 'refund_amount', 'refund_status'],
  sql: `
    WITH paired AS (
      SELECT l.out_trade_no, l.transaction_id, coalesce(l.out_refund_no, l.refund_id) AS number,
        l.refund_fen, l.refund_status, l.currency, l.traded_at, r.out_refund_no AS our_no,
        r.amount_fen, r.status AS our_status, r.accepted_at,
        r.transaction_id = l.transaction_id AS is_same
      FROM reconciliation_lines l LEFT JOIN refunds r
        ON r.out_refund_no = l.out_refund_no AND r.merchant_id = $2
      WHERE l.bill_date = $1 AND l.kind = 'refund' AND NOT l.is_foreign
    ), typed AS (
      SELECT *, CASE
        WHEN our_no IS NULL AND refund_status = 'FAIL' THEN NULL
        WHEN our_no IS NULL THEN 'refund_missing_here'
        WHEN currency <> 'CNY' OR amount_fen <> refund_fen OR NOT is_same THEN 'refund_amount'
        WHEN (coalesce(refund_status, ''), our_status) NOT IN (${AGREEING}) THEN 'refund_status'
      END AS type FROM paired
    )
    SELECT type, coalesce(number, transaction_id, out_trade_no) AS identity, 'open' AS status,
      out_trade_no, transaction_id, number AS out_refund_no,
      CASE WHEN our_no IS NOT NULL THEN
        ${side('amount_fen', 'our_status', 'accepted_at')} END AS ours,
      ${side(`CASE WHEN currency = 'CNY' THEN refund_fen END`, 'refund_status', 'traded_at')}
        AS theirs
    FROM typed WHERE type IS NOT NULL`,
};

/**
 * A refund that WeChat accepted from us, and that the bill of that day lacks. Nobody knows when a
 * refund that was made elsewhere was asked for.
 */
const MISSING_THERE: Finder = {
  types: ['refund_missing_there'],
  sql: `
    SELECT 'refund_missing_there' AS type, r.out_refund_no AS identity,
      CASE WHEN r.accepted_at < $3::timestamptz + interval '10 minutes'
        OR r.accepted_at >= $4::timestamptz - interval '10 minutes'
        THEN 'waiting' ELSE 'open' END AS status,
      r.out_trade_no, r.transaction_id, r.out_refund_no,
      ${side('r.amount_fen', 'r.status', 'r.accepted_at')} AS ours, NULL::jsonb AS theirs
    FROM refunds r
    WHERE r.merchant_id = $2 AND r.accepted_at >= $3 AND r.accepted_at < $4
      AND r.origin <> 'external' AND r.status IN ('processing', 'abnormal', 'succeeded')
      AND NOT EXISTS (
        SELECT FROM reconciliation_lines l
        WHERE l.bill_date = $1 AND l.kind = 'refund' AND l.out_refund_no = r.out_refund_no)`,
};

/** The comparison of refunds. */
export const REFUND_FINDERS: readonly Finder[] = [LINES, MISSING_THERE];
