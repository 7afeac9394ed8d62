// Records the queries of WeChat that notices asked for: which notices wait, and what came of it.
import { DUE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';

/** The notices of one number that wait for a query. */
export interface NoticesToQuery {
  readonly merchantId: string;
  /** Ids of their inbox rows. */
  readonly inboxIds: readonly string[];
  /** Refunds of this number that WeChat may still carry out, the newest first. */
  readonly openRefunds: readonly string[];
}

/** Notices that one query serves. */
const MAX_NOTICES = 100;
/** Refunds that one activity has the time to query. */
const MAX_REFUNDS = 10;
const WAITS = { queryRequestedAt: { not: null }, queriedAt: null } as const;

/** The rows of the activity that queries WeChat for notices. */
export function createNoticeQueries({ prisma }: DatabaseContext) {
  return {
    /**
     * Reads which notices wait for a query, and moves the order's due time behind this attempt.
     * @returns null when none waits
     */
    async waiting(outTradeNo: string, nowMs: number): Promise<NoticesToQuery | null> {
      const [order, rows, openRefunds] = await Promise.all([
        prisma.order.findUnique({ where: { outTradeNo }, select: { merchantId: true } }),
        prisma.inboxNotification.findMany({
          where: { outTradeNo, ...WAITS },
          select: { id: true },
          take: MAX_NOTICES,
        }),
        openRefundsOf(prisma, outTradeNo),
      ]);
      if (!order || rows.length === 0) return null;
      const dueAt = new Date(nowMs + 4 * DUE_GRACE_MS);
      await prisma.order.updateMany({ where: { outTradeNo }, data: { dueAt } });
      return {
        merchantId: order.merchantId,
        inboxIds: rows.map(({ id }) => id),
        openRefunds,
      };
    },

    /** Refunds of this number that WeChat may still carry out, the newest first. */
    openRefunds: (outTradeNo: string) => openRefundsOf(prisma, outTradeNo),

    /**
     * Records that the query has ended: the notices get their verdicts now.
     * @param found WeChat named a transaction
     */
    async settle(inboxIds: readonly string[], found: boolean, nowMs: number): Promise<void> {
      await prisma.inboxNotification.updateMany({
        where: { id: { in: [...inboxIds] }, ...WAITS },
        data: { queriedAt: new Date(nowMs), queryFound: found },
      });
    },
  };
}

async function openRefundsOf(
  prisma: DatabaseContext['prisma'],
  outTradeNo: string,
): Promise<string[]> {
  const rows = await prisma.refund.findMany({
    where: { outTradeNo, status: { in: ['pending', 'processing', 'abnormal'] } },
    select: { outRefundNo: true },
    orderBy: { createdAt: 'desc' },
    take: MAX_REFUNDS,
  });
  return rows.map(({ outRefundNo }) => outRefundNo);
}
