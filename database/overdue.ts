import type { DatabaseContext } from './context';

/** Until a leased row is looked at again, should the process that leased it die. */
const LEASE_MS = 30_000;
/** A run that was told and has not come round yet is told again, but ever more rarely: each time is an event. */
const MAX_DOUBLINGS = 4;

export interface LeasedNotice {
  readonly id: string;
  readonly outTradeNo: string;
}

export interface LeasedOrder {
  readonly outTradeNo: string;
  /** A run that is there may not have heard of it. */
  readonly closeRequested: boolean;
}

/** What the sweep of the api finds: rows somebody should have taken up and did not (P3, P12). */
export function createOverdue({ prisma }: DatabaseContext) {
  return {
    /**
     * Leases inbox rows without a verdict whose time has come, oldest first; also those a run was told
     * of long ago. Several processes may ask at once: each gets others.
     */
    async leaseNotices(limit: number, nowMs: number): Promise<LeasedNotice[]> {
      const now = new Date(nowMs);
      return prisma.$queryRaw<LeasedNotice[]>`
        UPDATE notification_inbox n SET attempts = n.attempts + 1,
          lease_until = ${now}::timestamptz + due.lease,
          next_attempt_at = ${now}::timestamptz + due.lease
        FROM (SELECT id, ${`${LEASE_MS} milliseconds`}::interval
            * power(2, least(attempts, ${MAX_DOUBLINGS}::int)) AS lease
          FROM notification_inbox
          WHERE verdict IS NULL AND next_attempt_at <= ${now} AND out_trade_no IS NOT NULL
          ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED) due
        WHERE n.id = due.id
        RETURNING n.id::text, n.out_trade_no AS "outTradeNo"`;
    },

    /** Gives a row back when its run could not be told, so that the next sweep takes it. */
    async returnNotices(ids: readonly string[], nowMs: number): Promise<void> {
      await prisma.inboxNotification.updateMany({
        where: { id: { in: [...ids] }, verdict: null },
        data: { nextAttemptAt: new Date(nowMs), leaseUntil: null },
      });
    },

    /** Leases orders whose `due_at` has passed: their run was never started, is gone, or never heard. */
    async leaseOrders(limit: number, nowMs: number): Promise<LeasedOrder[]> {
      return prisma.$queryRaw<LeasedOrder[]>`
        UPDATE orders o SET due_at = ${new Date(nowMs + LEASE_MS)}
        FROM (SELECT out_trade_no FROM orders WHERE due_at <= ${new Date(nowMs)}
          ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED) due
        WHERE o.out_trade_no = due.out_trade_no
        RETURNING o.out_trade_no AS "outTradeNo",
          o.close_requested_at IS NOT NULL AS "closeRequested"`;
    },

    /** Gives orders back whose run could not be started. */
    async returnOrders(outTradeNos: readonly string[], nowMs: number): Promise<void> {
      await prisma.order.updateMany({
        where: { outTradeNo: { in: [...outTradeNos] }, dueAt: { not: null } },
        data: { dueAt: new Date(nowMs) },
      });
    },
  };
}
