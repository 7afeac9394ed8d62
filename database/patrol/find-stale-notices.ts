import type { DatabaseContext } from '../core/context';

/** The run is told at once and again by the sweep; after this it is the patrol's turn. */
const STALE_MS = 2 * 60_000;
/** A notice that a run was just told of is left alone this long. */
const LEASE_MS = 60_000;
/** Looked at in one patrol; the oldest first, so the next one goes on with the others. */
const MAX_ROWS = 1_000;

export interface StaleNotices {
  /** All that wait, up to a bound: their numbers, or their own ids where WeChat named none. */
  readonly keys: readonly string[];
  /** Those that nobody was told of lately: one per run. */
  readonly toWake: readonly { readonly id: string; readonly outTradeNo: string }[];
}

interface Row {
  id: string;
  outTradeNo: string | null;
  leased: boolean;
}

/** Inbox rows without a verdict (P3), apart from those that a person is asked about. */
export function createStaleNotices({ prisma }: DatabaseContext) {
  return {
    async find(nowMs: number): Promise<StaleNotices> {
      const rows = await prisma.$queryRaw<Row[]>`
        SELECT id::text, out_trade_no AS "outTradeNo",
          coalesce(lease_until > ${new Date(nowMs)}, false) AS leased
        FROM notification_inbox
        WHERE verdict IS NULL AND undeliverable_at IS NULL
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

    /** Their runs were told: the next patrol gives them some time. */
    async recordWoken(outTradeNos: readonly string[], nowMs: number): Promise<void> {
      if (outTradeNos.length === 0) return;
      await prisma.inboxNotification.updateMany({
        where: { outTradeNo: { in: [...outTradeNos] }, verdict: null },
        data: { leaseUntil: new Date(nowMs + LEASE_MS) },
      });
    },
  };
}
