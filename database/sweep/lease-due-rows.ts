// Leases rows to the sweep: due orders, refunds, sharings, notices and resolutions.
import { formatSubject } from '../../domain/interventions/subjects';
import type { DatabaseContext } from '../core/context';
import { FIRST_SWEEP_MS } from '../core/due-times';
import { openIntervention } from '../interventions/open-intervention';
import { lockOrder } from '../core/lock-order';

/** A lease ends after this time, in case the process that took it dies. */
const LEASE_MS = 30_000;
/**
 * A run is woken again for the same notice after ever longer times, because each wake adds an
 * event.
 */
const MAX_DOUBLINGS = 4;
/** After this many wakes in more than two hours, another one won't help: a person must look. */
export const MAX_NOTICE_TRIES = 20;

/** A leased inbox row. */
export interface LeasedNotice {
  readonly id: string;
  readonly outTradeNo: string;
}

/** A leased order. */
export interface LeasedOrder {
  readonly outTradeNo: string;
  /** True when a close is requested; a running workflow may not have received the request. */
  readonly closeRequested: boolean;
}

/** A leased refund. */
export interface LeasedRefund {
  readonly outRefundNo: string;
}

/** A leased profit sharing. */
export interface LeasedSharing {
  readonly outOrderNo: string;
}

/** A leased resolution. */
export interface LeasedResolution {
  readonly id: string;
  readonly outTradeNo: string;
  /** Reason and subject of the intervention that it resolves. */
  readonly reason: string;
  readonly subject: string;
}

/**
 * Leases rows that a run should have taken up and has not (P3, P12). Several processes may lease at
 * the same time; each gets other rows.
 */
export function createLeases(context: DatabaseContext) {
  return {
    ...noticeLeases(context),
    ...dueLeases(context),
    ...resolutionLeases(context),
  };
}

function noticeLeases(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Leases inbox rows without a verdict that are due, oldest first, also those whose run was
     * woken long ago. Each lease counts as a try.
     * @param early also leases rows that have just come and whose run was not woken yet: while
     * others wait, no other part of the api wakes their runs
     */
    leaseNotices(limit: number, nowMs: number, early = false): Promise<LeasedNotice[]> {
      const now = new Date(nowMs);
      const latest = new Date(early ? nowMs + FIRST_SWEEP_MS : nowMs);
      return prisma.$queryRaw<LeasedNotice[]>`
        WITH due AS (
          SELECT id, ${`${LEASE_MS} milliseconds`}::interval
            * power(2, least(attempts, ${MAX_DOUBLINGS}::int)) AS lease
          FROM notification_inbox
          WHERE verdict IS NULL AND undeliverable_at IS NULL AND out_trade_no IS NOT NULL
            AND (query_requested_at IS NULL OR queried_at IS NOT NULL)
            AND attempts < ${MAX_NOTICE_TRIES} AND next_attempt_at <= ${latest}
            AND (attempts = 0 OR next_attempt_at <= ${now})
          ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ), leased AS (
          UPDATE notification_inbox n SET attempts = n.attempts + 1,
            lease_until = ${now}::timestamptz + due.lease,
            next_attempt_at = ${now}::timestamptz + due.lease
          FROM due WHERE n.id = due.id RETURNING n.id, n.out_trade_no, n.received_at
        )
        SELECT id::text, out_trade_no AS "outTradeNo" FROM leased ORDER BY received_at, id`;
    },

    /** True while a row is due whose run nobody has woken yet. */
    async hasDueNotices(nowMs: number): Promise<boolean> {
      const rows = await prisma.$queryRaw<unknown[]>`
        SELECT 1 FROM notification_inbox
        WHERE verdict IS NULL AND undeliverable_at IS NULL AND out_trade_no IS NOT NULL
          AND attempts = 0 AND next_attempt_at <= ${new Date(nowMs)} LIMIT 1`;
      return rows.length > 0;
    },

    /**
     * Returns rows whose runs could not be woken because Temporal is down. The try does not count,
     * and the rows keep their place in the queue.
     */
    async returnNotices(rows: readonly LeasedNotice[]): Promise<void> {
      await prisma.$executeRaw`
        UPDATE notification_inbox SET attempts = greatest(attempts - 1, 0), lease_until = NULL,
          next_attempt_at = received_at + ${`${FIRST_SWEEP_MS} milliseconds`}::interval
        WHERE id IN (SELECT id FROM notification_inbox
          WHERE id = ANY(${rows.map(({ id }) => id)}::uuid[]) AND verdict IS NULL
          FOR NO KEY UPDATE SKIP LOCKED)`;
    },

    /** Lists rows that still have no verdict after their last try. */
    spentNotices(limit: number, nowMs: number): Promise<LeasedNotice[]> {
      return prisma.$queryRaw<LeasedNotice[]>`
        SELECT id::text, out_trade_no AS "outTradeNo" FROM notification_inbox
        WHERE verdict IS NULL AND undeliverable_at IS NULL AND out_trade_no IS NOT NULL
          AND (query_requested_at IS NULL OR queried_at IS NOT NULL)
          AND attempts >= ${MAX_NOTICE_TRIES} AND next_attempt_at <= ${new Date(nowMs)}
        ORDER BY next_attempt_at LIMIT ${limit}`;
    },

    /** Opens an intervention about such a row (P10). A run that starts later still applies it. */
    escalateNotice: (notice: LeasedNotice, nowMs: number) => escalateNotice(context, notice, nowMs),
  };
}

/** @returns false when the row got its verdict meanwhile, or another process was first */
async function escalateNotice(
  { prisma }: DatabaseContext,
  { id, outTradeNo }: LeasedNotice,
  nowMs: number,
): Promise<boolean> {
  const now = new Date(nowMs);
  return prisma.$transaction(async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    const { count } = await tx.inboxNotification.updateMany({
      where: { id, verdict: null, undeliverableAt: null },
      data: { undeliverableAt: now },
    });
    if (count === 0) return false;
    const row = await tx.inboxNotification.findUniqueOrThrow({
      where: { id },
      select: { source: true, notificationId: true, attempts: true, receivedAt: true },
    });
    await openIntervention(tx, {
      outTradeNo,
      ours: order !== null,
      reason: 'undeliverable',
      subject: formatSubject('notice', id),
      evidence: {
        source: row.source,
        notification_id: row.notificationId,
        why: 'no_verdict',
        attempts: row.attempts,
        received_at: row.receivedAt.toISOString(),
      },
      now,
    });
    return true;
  });
}

/** Leases of due rows. `due_at` stays as it is, so it shows since when the row is overdue. */
function dueLeases({ prisma }: DatabaseContext) {
  return {
    /**
     * Leases orders whose `due_at` has passed: their run never started, ended, or missed a signal.
     */
    leaseOrders(limit: number, nowMs: number): Promise<LeasedOrder[]> {
      const now = new Date(nowMs);
      return prisma.$queryRaw<LeasedOrder[]>`
        WITH due AS (
          SELECT out_trade_no FROM orders
          WHERE due_at <= ${now} AND (lease_until IS NULL OR lease_until <= ${now})
          ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ), leased AS (
          UPDATE orders o SET lease_until = ${new Date(nowMs + LEASE_MS)}
          FROM due WHERE o.out_trade_no = due.out_trade_no
          RETURNING o.out_trade_no, o.due_at, o.close_requested_at IS NOT NULL AS close_requested
        )
        SELECT out_trade_no AS "outTradeNo", close_requested AS "closeRequested"
        FROM leased ORDER BY due_at, out_trade_no`;
    },

    /** Returns orders whose run could not be started. */
    async returnOrders(rows: readonly LeasedOrder[]): Promise<void> {
      await prisma.order.updateMany({
        where: { outTradeNo: { in: rows.map(({ outTradeNo }) => outTradeNo) } },
        data: { leaseUntil: null },
      });
    },

    /** Leases refunds, whatever their status: `due_at` says that something is left to do. */
    leaseRefunds(limit: number, nowMs: number): Promise<LeasedRefund[]> {
      const now = new Date(nowMs);
      return prisma.$queryRaw<LeasedRefund[]>`
        WITH due AS (
          SELECT out_refund_no FROM refunds
          WHERE due_at <= ${now} AND (lease_until IS NULL OR lease_until <= ${now})
          ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ), leased AS (
          UPDATE refunds r SET lease_until = ${new Date(nowMs + LEASE_MS)}
          FROM due WHERE r.out_refund_no = due.out_refund_no RETURNING r.out_refund_no, r.due_at
        )
        SELECT out_refund_no AS "outRefundNo" FROM leased ORDER BY due_at, out_refund_no`;
    },

    /** Leases profit sharings whose `due_at` has passed. */
    leaseSharings(limit: number, nowMs: number): Promise<LeasedSharing[]> {
      const now = new Date(nowMs);
      return prisma.$queryRaw<LeasedSharing[]>`
        WITH due AS (
          SELECT out_order_no FROM profit_sharings
          WHERE due_at <= ${now} AND (lease_until IS NULL OR lease_until <= ${now})
          ORDER BY due_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ), leased AS (
          UPDATE profit_sharings s SET lease_until = ${new Date(nowMs + LEASE_MS)}
          FROM due WHERE s.out_order_no = due.out_order_no RETURNING s.out_order_no, s.due_at
        )
        SELECT out_order_no AS "outOrderNo" FROM leased ORDER BY due_at, out_order_no`;
    },

    /** Returns sharings whose run could not be started. */
    async returnSharings(rows: readonly LeasedSharing[]): Promise<void> {
      await prisma.profitSharing.updateMany({
        where: { outOrderNo: { in: rows.map(({ outOrderNo }) => outOrderNo) } },
        data: { leaseUntil: null },
      });
    },

    /** Returns refunds whose run could not be started. */
    async returnRefunds(rows: readonly LeasedRefund[]): Promise<void> {
      await prisma.refund.updateMany({
        where: { outRefundNo: { in: rows.map(({ outRefundNo }) => outRefundNo) } },
        data: { leaseUntil: null },
      });
    },
  };
}

function resolutionLeases({ prisma }: DatabaseContext) {
  return {
    /** Leases approved resolutions that no run has carried out yet. */
    leaseResolutions(limit: number, nowMs: number): Promise<LeasedResolution[]> {
      return prisma.$queryRaw<LeasedResolution[]>`
        WITH due AS (
          SELECT id FROM intervention_resolutions
          WHERE status = 'approved' AND next_attempt_at <= ${new Date(nowMs)}
          ORDER BY next_attempt_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
        ), leased AS (
          UPDATE intervention_resolutions r SET next_attempt_at = ${new Date(nowMs + LEASE_MS)}
          FROM due WHERE r.id = due.id
          RETURNING r.id, r.out_trade_no, r.intervention_id, r.approved_at
        )
        SELECT leased.id::text, leased.out_trade_no AS "outTradeNo", i.reason, i.subject
        FROM leased JOIN interventions i ON i.id = leased.intervention_id
        ORDER BY leased.approved_at, leased.id`;
    },

    /** Returns resolutions whose run could not be woken. */
    async returnResolutions(rows: readonly LeasedResolution[], nowMs: number): Promise<void> {
      await prisma.interventionResolution.updateMany({
        where: { id: { in: rows.map(({ id }) => id) }, status: 'approved' },
        data: { nextAttemptAt: new Date(nowMs) },
      });
    },
  };
}
