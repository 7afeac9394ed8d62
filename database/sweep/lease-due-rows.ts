import { formatSubject } from '../../domain/interventions/subjects';
import type { DatabaseContext } from '../core/context';
import { FIRST_SWEEP_MS } from '../core/due-times';
import { openIntervention } from '../interventions/open-intervention';
import { lockOrder } from '../core/lock-order';

/** Until a leased row is looked at again, should the process that leased it die. */
const LEASE_MS = 30_000;
/** A run that was told and has not come round yet is told again, but ever more rarely: each time is an event. */
const MAX_DOUBLINGS = 4;
/** Runs told so often in vain, over more than two hours, won't hear the next time either. */
export const MAX_NOTICE_TRIES = 20;

export interface LeasedNotice {
  readonly id: string;
  readonly outTradeNo: string;
}

export interface LeasedOrder {
  readonly outTradeNo: string;
  /** A run that is there may not have heard of it. */
  readonly closeRequested: boolean;
}

export interface LeasedRefund {
  readonly outRefundNo: string;
}

export interface LeasedSharing {
  readonly outOrderNo: string;
}

export interface LeasedResolution {
  readonly id: string;
  readonly outTradeNo: string;
  /** Of the intervention that it answers. */
  readonly reason: string;
  readonly subject: string;
}

/**
 * What the sweep of the api finds: rows somebody should have taken up and did not (P3, P12). Several
 * processes may ask at once: each gets others.
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
     * Leases inbox rows without a verdict whose time has come, oldest first; also those a run was told
     * of long ago. Each lease counts as a try.
     * @param early also takes rows that nobody was told of yet and that have just come: while others
     * wait, they are not told by anybody else
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

    /**
     * Gives rows back that could not be told because Temporal is away: the try does not count, and they
     * keep their place in the line.
     */
    async returnNotices(rows: readonly LeasedNotice[]): Promise<void> {
      await prisma.$executeRaw`
        UPDATE notification_inbox SET attempts = greatest(attempts - 1, 0), lease_until = NULL,
          next_attempt_at = received_at + ${`${FIRST_SWEEP_MS} milliseconds`}::interval
        WHERE id = ANY(${rows.map(({ id }) => id)}::uuid[]) AND verdict IS NULL`;
    },

    /** Rows whose last try has had its time too. */
    spentNotices(limit: number, nowMs: number): Promise<LeasedNotice[]> {
      return prisma.$queryRaw<LeasedNotice[]>`
        SELECT id::text, out_trade_no AS "outTradeNo" FROM notification_inbox
        WHERE verdict IS NULL AND undeliverable_at IS NULL AND out_trade_no IS NOT NULL
          AND attempts >= ${MAX_NOTICE_TRIES} AND next_attempt_at <= ${new Date(nowMs)}
        ORDER BY next_attempt_at LIMIT ${limit}`;
    },

    /** Leaves such a row to a person (P10). A run that comes round still applies it. */
    escalateNotice: (notice: LeasedNotice, nowMs: number) => escalateNotice(context, notice, nowMs),
  };
}

/** @returns false when it got its verdict meanwhile, or another process was first */
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

/** `due_at` keeps saying since when something is overdue; who took it up holds a lease beside it. */
function dueLeases({ prisma }: DatabaseContext) {
  return {
    /** Leases orders whose `due_at` has passed: their run was never started, is gone, or never heard. */
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

    /** Gives orders back whose run could not be started. */
    async returnOrders(rows: readonly LeasedOrder[]): Promise<void> {
      await prisma.order.updateMany({
        where: { outTradeNo: { in: rows.map(({ outTradeNo }) => outTradeNo) } },
        data: { leaseUntil: null },
      });
    },

    /** The same for refunds, whatever their status: a `due_at` says that something is left to do. */
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

    /** The same for profit sharings; one whose time has not come is not due. */
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

    async returnSharings(rows: readonly LeasedSharing[]): Promise<void> {
      await prisma.profitSharing.updateMany({
        where: { outOrderNo: { in: rows.map(({ outOrderNo }) => outOrderNo) } },
        data: { leaseUntil: null },
      });
    },

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
    /** Leases approved answers that no run has carried out yet. */
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

    async returnResolutions(rows: readonly LeasedResolution[], nowMs: number): Promise<void> {
      await prisma.interventionResolution.updateMany({
        where: { id: { in: rows.map(({ id }) => id) }, status: 'approved' },
        data: { nextAttemptAt: new Date(nowMs) },
      });
    },
  };
}
