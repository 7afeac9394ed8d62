// Finds the payments in which a bill and our rows differ.
import { side, type Finder } from './found-differences';

/** Our payments of some days around the bill's: most lines find theirs among them. */
const NEAR = `
  near AS MATERIALIZED (
    SELECT transaction_id, out_trade_no, total_fen, currency, status, success_time
    FROM payment_transactions
    WHERE provider = 'wechatpay' AND merchant_id = $2
      AND success_time >= $3::timestamptz - interval '2 days'
      AND success_time < $4::timestamptz + interval '2 days'
  )`;

/**
 * A payment is found by transaction and order number together: the same number with another
 * transaction is a second payment. A line without a payment near it is looked up by the index over
 * all days. Another currency is compared by nobody.
 */
const LINES: Finder = {
  types: ['payment_missing_here', 'payment_amount', 'payment_status'],
  sql: `
    WITH ${NEAR}, odd AS (
      SELECT l.kind, l.transaction_id, l.out_trade_no, l.order_fen, l.currency, l.traded_at,
        n.transaction_id AS near_id, n.total_fen, n.currency AS our_currency, n.status,
        n.success_time
      FROM reconciliation_lines l LEFT JOIN near n
        ON n.transaction_id = l.transaction_id AND n.out_trade_no = l.out_trade_no
      WHERE l.bill_date = $1 AND l.kind IN ('payment', 'reversal') AND NOT l.is_foreign
        AND (n.transaction_id IS NULL OR l.kind = 'reversal' OR l.currency <> 'CNY'
          OR n.total_fen IS DISTINCT FROM l.order_fen OR coalesce(n.currency, 'CNY') <> 'CNY')
    ), paired AS (
      SELECT o.kind, o.transaction_id, o.out_trade_no, o.order_fen, o.currency, o.traded_at,
        coalesce(o.near_id, p.transaction_id) AS our_id,
        coalesce(o.total_fen, p.total_fen) AS total_fen, coalesce(o.status, p.status) AS our_status,
        coalesce(o.success_time, p.success_time) AS success_time,
        o.currency <> 'CNY' OR coalesce(o.our_currency, p.currency, 'CNY') <> 'CNY' AS is_other
      FROM odd o LEFT JOIN LATERAL (
        SELECT * FROM payment_transactions p
        WHERE o.near_id IS NULL AND p.provider = 'wechatpay' AND p.merchant_id = $2
          AND p.transaction_id = o.transaction_id AND p.out_trade_no = o.out_trade_no LIMIT 1
      ) p ON true
    ), typed AS (
      SELECT *, CASE
        WHEN is_other OR kind = 'reversal' AND our_id IS NOT NULL THEN 'payment_status'
        WHEN kind = 'reversal' THEN NULL
        WHEN our_id IS NULL THEN 'payment_missing_here'
        WHEN total_fen IS DISTINCT FROM order_fen THEN 'payment_amount'
      END AS type FROM paired
    )
    SELECT type, coalesce(transaction_id, '') || '/' || out_trade_no AS identity,
      'open' AS status, out_trade_no, transaction_id, NULL::text AS out_refund_no,
      CASE WHEN our_id IS NOT NULL THEN
        ${side('total_fen', 'our_status', 'success_time')} END AS ours,
      ${side(
        `CASE WHEN currency = 'CNY' THEN order_fen END`,
        `CASE kind WHEN 'reversal' THEN 'REVOKED' ELSE 'SUCCESS' END ||
          CASE WHEN currency = 'CNY' THEN '' ELSE ' ' || currency END`,
        'traded_at',
      )} AS theirs
    FROM typed WHERE type IS NOT NULL`,
};

/** A payment that WeChat reported to us, and that its day's bill lacks. */
const MISSING_THERE: Finder = {
  types: ['payment_missing_there'],
  sql: `
    SELECT 'payment_missing_there' AS type, n.transaction_id || '/' || n.out_trade_no AS identity,
      CASE WHEN n.success_time < $3::timestamptz + interval '10 minutes'
        OR n.success_time >= $4::timestamptz - interval '10 minutes'
        THEN 'waiting' ELSE 'open' END AS status,
      n.out_trade_no, n.transaction_id, NULL::text AS out_refund_no,
      ${side('n.total_fen', 'n.status', 'n.success_time')} AS ours, NULL::jsonb AS theirs
    FROM payment_transactions n
    WHERE n.provider = 'wechatpay' AND n.merchant_id = $2
      AND n.success_time >= $3 AND n.success_time < $4
      AND NOT EXISTS (
        SELECT FROM reconciliation_lines l
        WHERE l.bill_date = $1 AND l.kind IN ('payment', 'reversal')
          AND l.transaction_id = n.transaction_id AND l.out_trade_no = n.out_trade_no)`,
};

/** The comparison of payments. */
export const PAYMENT_FINDERS: readonly Finder[] = [LINES, MISSING_THERE];
