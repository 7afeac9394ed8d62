// Finds inbox rows that have waited too long for a verdict.
import type { DatabaseContext } from '../core/context';

/** The api and its sweep wake the run first; after this time the patrol does. */
const STALE_MS = 2 * 60_000;
/** After a run was woken for a notice, the patrol leaves the notice alone this long. */
const LEASE_MS = 60_000;
/** Rows read in one patrol, the oldest first; the next patrol reads the others. */
const MAX_ROWS = 1_000;

/** Notices that have waited too long. */
export interface StaleNotices {
  /**
   * The order numbers of all, up to a bound; the id of a notice in which WeChat named no number.
   */
  readonly keys: readonly string[];
  /** The notices whose runs were not woken lately: one per run. */
  readonly toWake: readonly { readonly id: string; readonly outTradeNo: string }[];
}

interface Row {
  id: string;
  outTradeNo: string | null;
  leased: boolean;
}

/**
 * Inbox rows without a verdict (P3), except those with an intervention, and those that wait for a
 * query of WeChat: the order's due time looks after them.
 */
export function createStaleNotices({ prisma }: DatabaseContext) {
  return {
    async find(nowMs: number): Promise<StaleNotices> {
      const rows = await prisma.$queryRaw<Row[]>`
        SELECT id::text, out_trade_no AS "outTradeNo",
          coalesce(lease_until > ${new Date(nowMs)}, false) AS leased
        FROM notification_inbox
        WHERE verdict IS NULL AND undeliverable_at IS NULL
          AND (query_requested_at IS NULL OR queried_at IS NOT NULL)
          AND received_at <= ${new Date(nowMs - STALE_MS)}
        ORDER BY next_attempt_at LIMIT ${MAX_ROWS}`;
      const runs = new Map<string, { id: string; outTradeNo: string }>();
      for (const { id, outTradeNo, leased } of rows) {
        if (outTradeNo !== null && !leased) runs.set(outTradeNo, { id, outTradeNo });
      }
      return {
        keys: rows.map(({ id, outTradeNo }) => outTradeNo ?? id),
        toWake: [...runs.values()],
      };
    },

    /** Records that the runs of these orders were woken; the next patrol gives them some time. */
    async recordWoken(outTradeNos: readonly string[], nowMs: number): Promise<void> {
      if (outTradeNos.length === 0) return;
      await prisma.inboxNotification.updateMany({
        where: { outTradeNo: { in: [...outTradeNos] }, verdict: null },
        data: { leaseUntil: new Date(nowMs + LEASE_MS) },
      });
    },
  };
}
