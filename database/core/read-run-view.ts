// Reads from the rows what an order's run decides on.
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import type { OrderStatus } from '../../domain/orders/order-state';
import type { RunView } from '../../domain/orders/run-view';
import type { DatabaseContext, Tx } from './context';

/** Reads for the runs of orders. */
export function createRunViews({ prisma }: DatabaseContext) {
  return {
    /** null when there is no order with this number. */
    load: (outTradeNo: string): Promise<RunView | null> => readRunView(prisma, outTradeNo),
  };
}

interface Row extends Omit<RunView, 'status' | 'expiresAtMs' | 'due'> {
  readonly status: string;
  readonly expiresAt: Date;
  readonly dueAt: Date | null;
}

/**
 * Reads the view in one round trip. Effects wait while a reconciliation is open, because WeChat
 * reported a refund. A compensation waits for its effect, as in fulfilment/run-effects.
 * @returns null when there is no order with this number
 */
export async function readRunView(
  client: Pick<Tx, '$queryRaw'>,
  outTradeNo: string,
): Promise<RunView | null> {
  return (await readRun(client, outTradeNo))?.view ?? null;
}

/** Like {@link readRunView}, with the order's `due_at` of the same moment. */
export async function readRun(
  client: Pick<Tx, '$queryRaw'>,
  outTradeNo: string,
): Promise<{ readonly view: RunView; readonly dueAt: Date | null } | null> {
  const [row] = await client.$queryRaw<Row[]>`
    SELECT o.status, o.channel, o.total_fen AS "totalFen", o.prepay_rounds AS "prepayRounds",
      o.refusal_code IS NOT NULL AS refused, o.close_requested_at IS NOT NULL AS "closeRequested",
      o.expires_at AS "expiresAt", o.due_at AS "dueAt",
      (SELECT count(*)::int FROM notification_inbox n
        WHERE n.out_trade_no = o.out_trade_no AND n.verdict IS NULL
          AND (n.query_requested_at IS NULL OR n.queried_at IS NOT NULL)) + (SELECT count(*)::int
        FROM intervention_resolutions r
        WHERE r.out_trade_no = o.out_trade_no AND r.status = 'approved') AS "openNotices",
      (SELECT count(*)::int FROM notification_inbox n WHERE n.out_trade_no = o.out_trade_no
        AND n.query_requested_at IS NOT NULL AND n.queried_at IS NULL) AS "noticesToQuery",
      (SELECT count(*)::int FROM order_effects e
        WHERE e.out_trade_no = o.out_trade_no
          AND (e.status = 'pending' OR (e.status = 'failed' AND NOT e.spent))
          AND CASE WHEN strpos(e.effect, '_back:') = 0 THEN o.status = 'paid' AND NOT i.held
            ELSE o.status = 'refunded' OR EXISTS (SELECT 1 FROM order_effects f
              WHERE f.out_trade_no = o.out_trade_no AND f.effect = split_part(e.effect, '_back:', 1)
                AND f.status IN ('done', 'skipped')) END) AS "effectsDue",
      (SELECT count(*)::int FROM deliveries d
        WHERE d.out_trade_no = o.out_trade_no AND d.status = 'pending') AS "deliveriesDue",
      i.open AS "openInterventions", i.oldest AS attention, i.oldest_id AS "attentionId",
      i.oldest_subject AS "attentionSubject", i.close_failed AS "closeFailed",
      i.prepay_failed AS "prepayFailed", i.retries,
      i.wechat_failures_ended AS "wechatFailuresEnded"
    FROM orders o CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE status = 'open')::int AS open,
        coalesce(bool_or(status = 'open' AND reason = 'reconciliation'), false) AS held,
        coalesce(bool_or(status = 'open' AND reason = 'wechat_failed'
          AND subject = ${WECHAT_SUBJECTS.close}), false) AS close_failed,
        coalesce(bool_or(status = 'open' AND reason = 'wechat_failed'
          AND subject = ${WECHAT_SUBJECTS.prepay}), false) AS prepay_failed,
        count(*) FILTER (WHERE reason = 'wechat_failed' AND resolution = 'retry')::int AS retries,
        count(*) FILTER (WHERE reason = 'wechat_failed' AND status <> 'open')::int
          AS wechat_failures_ended,
        (array_agg(reason ORDER BY since, id) FILTER (WHERE status = 'open'))[1] AS oldest,
        (array_agg(id::text ORDER BY since, id) FILTER (WHERE status = 'open'))[1] AS oldest_id,
        (array_agg(subject ORDER BY since, id) FILTER (WHERE status = 'open'))[1] AS oldest_subject
      FROM interventions WHERE order_no = o.out_trade_no
    ) i
    WHERE o.out_trade_no = ${outTradeNo}`;
  return row ? { view: viewOf(row), dueAt: row.dueAt } : null;
}

function viewOf({ status, expiresAt, dueAt, ...row }: Row): RunView {
  return {
    ...row,
    status: status as OrderStatus,
    expiresAtMs: expiresAt.getTime(),
    due: dueAt !== null,
  };
}
