// Finds what is wrong with a bill itself: lines twice, lines that can't be read, a wrong summary.
import { side, type Finder } from './found-differences';

/** The same payment or refund in two lines; lines of other systems are theirs to check. */
const DUPLICATES: Finder = {
  types: ['duplicate_line'],
  sql: `
    SELECT 'duplicate_line' AS type,
      kind || ':' || CASE kind WHEN 'refund' THEN coalesce(out_refund_no, refund_id, '')
        ELSE coalesce(transaction_id, out_trade_no, '') END AS identity,
      'open' AS status, min(out_trade_no) AS out_trade_no, min(transaction_id) AS transaction_id,
      CASE kind WHEN 'refund' THEN min(coalesce(out_refund_no, refund_id)) END AS out_refund_no,
      NULL::jsonb AS ours,
      ${side(
        `CASE kind WHEN 'refund' THEN min(refund_fen) ELSE min(order_fen) END`,
        `'lines ' || string_agg(line::text, ', ' ORDER BY line)`,
        'min(traded_at)',
      )} AS theirs
    FROM reconciliation_lines
    WHERE bill_date = $1 AND kind IN ('payment', 'refund') AND NOT is_foreign
    GROUP BY kind, CASE kind WHEN 'refund' THEN coalesce(out_refund_no, refund_id, '')
      ELSE coalesce(transaction_id, out_trade_no, '') END
    HAVING count(*) > 1`,
};

const UNREADABLE: Finder = {
  types: ['unreadable_line'],
  sql: `
    SELECT 'unreadable_line' AS type, line::text AS identity, 'open' AS status,
      NULL::text AS out_trade_no, NULL::text AS transaction_id, NULL::text AS out_refund_no,
      NULL::jsonb AS ours,
      jsonb_build_object('amount_fen', NULL, 'status', 'line ' || line || ': ' || why, 'at', NULL)
        AS theirs
    FROM reconciliation_lines WHERE bill_date = $1 AND kind = 'unreadable'`,
};

/** WeChat's summary is their side, the sum of all lines ours. */
const SUMMARY: Finder = {
  types: ['summary_mismatch'],
  sql: `
    SELECT 'summary_mismatch' AS type, m->>'column' AS identity, 'open' AS status,
      NULL::text AS out_trade_no, NULL::text AS transaction_id, NULL::text AS out_refund_no,
      jsonb_build_object('amount_fen', m->'lines', 'status', m->'column', 'at', NULL) AS ours,
      jsonb_build_object('amount_fen', m->'summary', 'status', m->'column', 'at', NULL) AS theirs
    FROM reconciliations r, jsonb_array_elements(r.bill->'mismatches') m
    WHERE r.bill_date = $1`,
};

/** The checks of a bill itself. */
export const BILL_FINDERS: readonly Finder[] = [DUPLICATES, UNREADABLE, SUMMARY];
