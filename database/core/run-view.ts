import type { Fen } from '../../domain/money';
import type { OrderStatus } from '../../domain/orders/order-state';
import type { RunView } from '../../domain/orders/run-view';
import type { DatabaseContext, Tx } from './context';

export function createRunViews({ prisma }: DatabaseContext) {
  return {
    /** null when no such order is ours. */
    load: (outTradeNo: string): Promise<RunView | null> => readRunView(prisma, outTradeNo),
  };
}

interface Row {
  status: string;
  channel: string;
  total_fen: Fen;
  prepay_rounds: number;
  refused: boolean;
  close_requested: boolean;
  expires_at: Date;
  open_notices: number;
  effects_due: number;
  deliveries_due: number;
  open_interventions: number;
  close_failed: boolean;
  prepay_failed: boolean;
  retries: number;
  attention_id: string | null;
  attention_subject: string | null;
  due_at: Date | null;
  attention: string | null;
}

/**
 * One round trip. Effects wait while a reconciliation is open: WeChat spoke of a refund. What refunds
 * take back waits for what it takes back, as database/effects has it.
 */
export async function readRunView(
  client: Pick<Tx, '$queryRaw'>,
  outTradeNo: string,
): Promise<RunView | null> {
  return (await readRun(client, outTradeNo))?.view ?? null;
}

/** The same with the order's `due_at` as it was then. */
export async function readRun(
  client: Pick<Tx, '$queryRaw'>,
  outTradeNo: string,
): Promise<{ readonly view: RunView; readonly dueAt: Date | null } | null> {
  const [row] = await client.$queryRaw<Row[]>`
    SELECT o.status, o.channel, o.total_fen, o.prepay_rounds, o.refusal_code IS NOT NULL AS refused,
      o.close_requested_at IS NOT NULL AS close_requested, o.expires_at,
      (SELECT count(*)::int FROM notification_inbox n
        WHERE n.out_trade_no = o.out_trade_no AND n.verdict IS NULL) + (SELECT count(*)::int
        FROM intervention_resolutions r
        WHERE r.out_trade_no = o.out_trade_no AND r.status = 'approved') AS open_notices,
      (SELECT count(*)::int FROM order_effects e
        WHERE e.out_trade_no = o.out_trade_no
          AND (e.status = 'pending' OR (e.status = 'failed' AND NOT e.spent))
          AND CASE WHEN strpos(e.effect, '_back:') = 0 THEN o.status = 'paid' AND NOT i.held
            ELSE o.status = 'refunded' OR EXISTS (SELECT 1 FROM order_effects f
              WHERE f.out_trade_no = o.out_trade_no AND f.effect = split_part(e.effect, '_back:', 1)
                AND f.status IN ('done', 'skipped')) END) AS effects_due,
      (SELECT count(*)::int FROM deliveries d
        WHERE d.out_trade_no = o.out_trade_no AND d.status = 'pending') AS deliveries_due,
      i.open AS open_interventions, i.oldest AS attention, i.oldest_id AS attention_id,
      i.oldest_subject AS attention_subject, i.close_failed, i.prepay_failed, i.retries, o.due_at
    FROM orders o CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE status = 'open')::int AS open,
        coalesce(bool_or(status = 'open' AND reason = 'reconciliation'), false) AS held,
        coalesce(bool_or(status = 'open' AND reason = 'wechat_failed' AND subject = 'close'), false)
          AS close_failed,
        coalesce(bool_or(status = 'open' AND reason = 'wechat_failed' AND subject = 'prepay'), false)
          AS prepay_failed,
        count(*) FILTER (WHERE reason = 'wechat_failed' AND resolution = 'retry')::int AS retries,
        (array_agg(reason ORDER BY since, id) FILTER (WHERE status = 'open'))[1] AS oldest,
        (array_agg(id::text ORDER BY since, id) FILTER (WHERE status = 'open'))[1] AS oldest_id,
        (array_agg(subject ORDER BY since, id) FILTER (WHERE status = 'open'))[1] AS oldest_subject
      FROM interventions WHERE order_no = o.out_trade_no
    ) i
    WHERE o.out_trade_no = ${outTradeNo}`;
  return row ? { view: viewOf(row), dueAt: row.due_at } : null;
}

function viewOf(row: Row): RunView {
  return {
    status: row.status as OrderStatus,
    channel: row.channel,
    totalFen: row.total_fen,
    prepayRounds: row.prepay_rounds,
    refused: row.refused,
    closeRequested: row.close_requested,
    closeFailed: row.close_failed,
    expiresAtMs: row.expires_at.getTime(),
    openNotices: row.open_notices,
    effectsDue: row.effects_due,
    deliveriesDue: row.deliveries_due,
    openInterventions: row.open_interventions,
    attention: row.attention,
    attentionId: row.attention_id,
    attentionSubject: row.attention_subject,
    prepayFailed: row.prepay_failed,
    retries: row.retries,
    due: row.due_at !== null,
  };
}
