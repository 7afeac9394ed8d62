// Finds overdue orders, refunds, sharings and deliveries, and records what was done.
import { RUN_SUBJECT, subjectPrefix } from '../../domain/interventions/subjects';
import { MAX_STUCK } from '../../domain/patrol/findings';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';
import { openIntervention } from '../interventions/open-intervention';

/** The four kinds of overdue rows. */
export type OverdueKind =
  'order_overdue' | 'refund_overdue' | 'sharing_overdue' | 'delivery_overdue';

/** A row whose due time has passed (P12). */
export interface OverdueRow {
  /** The number of the order, refund or sharing; the id of the delivery. */
  readonly key: string;
  readonly outTradeNo: string;
  /** False when `outTradeNo` is not one of our orders. */
  readonly ours: boolean;
  /** The subject of the intervention. */
  readonly subject: string;
  readonly status: string;
  readonly dueAt: Date;
  /** When the patrol woke the run for this due time; null when it has not. */
  readonly wokenAt: Date | null;
}

/** The overdue rows of one kind. */
export interface OverdueRows {
  /** The keys of all overdue rows, up to a bound. */
  readonly keys: readonly string[];
  /** Rows whose runs the patrol has not woken yet. */
  readonly toWake: readonly OverdueRow[];
  /**
   * Rows that were woken long ago without effect and have no intervention; at most `MAX_STUCK` + 1.
   */
  readonly stuck: readonly OverdueRow[];
}

/** The sweep of the api runs every 10 s; it could not help a row that is later than this. */
const LATE_MS = 60_000;
/** A delivery has more time, because its run sends several, one after the other. */
const LATE_DELIVERY_MS = 5 * 60_000;
/** A woken run has this long to move its due time. */
const WAKE_MS = 60_000;
/** Rows counted, and runs woken, in one patrol. */
const MAX_COUNTED = 1_000;
const MAX_WOKEN = 200;
/** Unattended orders that get a due time in one patrol. */
const MAX_UNATTENDED = 200;
/** Interventions ended in one patrol. */
const MAX_ENDED = 200;
/** A new order is unattended when nothing has continued it for this long. */
const UNATTENDED_MS = 60_000;

/** The four tables in one shape; each is read by its index on the due time. */
function view(kind: OverdueKind, nowMs: number): Prisma.Sql {
  const late = new Date(nowMs - LATE_MS);
  switch (kind) {
    case 'order_overdue':
      return Prisma.sql`(SELECT out_trade_no AS key, out_trade_no, true AS ours, status, due_at,
        woken_at, ${RUN_SUBJECT}::text AS subject FROM orders WHERE due_at <= ${late})`;
    case 'refund_overdue':
      return Prisma.sql`(SELECT out_refund_no AS key, out_trade_no, order_no IS NOT NULL AS ours,
        status, due_at, woken_at, ${subjectPrefix('refund')} || out_refund_no AS subject
        FROM refunds WHERE due_at <= ${late})`;
    case 'sharing_overdue':
      return Prisma.sql`(SELECT out_order_no AS key, out_trade_no, true AS ours, status, due_at,
        woken_at, ${subjectPrefix('sharing')} || out_order_no AS subject
        FROM profit_sharings WHERE due_at <= ${late})`;
    case 'delivery_overdue':
      // A wake counts only for the attempt before it, not for a later one.
      return Prisma.sql`(SELECT id AS key, out_trade_no, true AS ours, status,
        next_attempt_at AS due_at,
        CASE WHEN woken_at >= next_attempt_at THEN woken_at END AS woken_at,
        ${subjectPrefix('delivery')} || id AS subject
        FROM deliveries WHERE status = 'pending' AND out_trade_no IS NOT NULL
          AND next_attempt_at <= ${new Date(nowMs - LATE_DELIVERY_MS)})`;
  }
}

const COLUMNS = Prisma.sql`v.key, v.out_trade_no AS "outTradeNo", v.ours, v.subject, v.status,
  v.due_at AS "dueAt", v.woken_at AS "wokenAt"`;

/** The due time in the format of an intervention's evidence. */
const DUE_TEXT = Prisma.sql`to_char(v.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** Overdue rows of orders, refunds, sharings and deliveries. The cost grows with their number. */
export function createOverdueRows(context: DatabaseContext) {
  const { prisma } = context;
  return {
    find: (kind: OverdueKind, nowMs: number) => findOverdue(context, kind, nowMs),

    /** Records that runs were woken, except where the due time has moved meanwhile. */
    recordWoken: (kind: OverdueKind, rows: readonly OverdueRow[], nowMs: number) =>
      recordWoken(context, kind, rows, nowMs),

    /**
     * Opens an intervention about a row, unless it has moved. @returns true when it is a new one
     */
    openStuck: (kind: OverdueKind, row: OverdueRow, run: object, nowMs: number) =>
      openStuck(context, { kind, row, run, nowMs }),

    /**
     * Ends the interventions about rows that have moved on by themselves.
     * @returns the order numbers, whose runs the caller should wake
     */
    endMoved: (nowMs: number): Promise<string[]> => endMoved(context, nowMs),

    /**
     * True when WeChat or Temporal is down, or came up less than a minute ago: rows that are late
     * for this reason are not stuck.
     */
    async dependencyDown(nowMs: number): Promise<boolean> {
      const down = await prisma.dependency.count({
        where: {
          name: { in: ['wechatpay', 'temporal'] },
          OR: [{ state: 'down' }, { since: { gt: new Date(nowMs - WAKE_MS) } }],
        },
      });
      return down > 0;
    },

    /** True when the patrol before this one found too many stuck runs for interventions. */
    async wereTooMany(): Promise<boolean> {
      const where = { name: 'workers_overdue', state: 'down' };
      return (await prisma.dependency.count({ where })) > 0;
    },

    /**
     * Makes open orders due that have no due time, so that the sweep starts their runs. Leaves out
     * paid orders that have nothing to do or wait for a person.
     * @returns their numbers
     */
    async makeUnattendedDue(nowMs: number): Promise<string[]> {
      const rows = await prisma.$queryRaw<{ outTradeNo: string }[]>`
        UPDATE orders SET due_at = ${new Date(nowMs)}
        WHERE due_at IS NULL AND out_trade_no IN (
          SELECT o.out_trade_no FROM orders o
          WHERE o.due_at IS NULL AND o.status IN ('created', 'awaiting_payment', 'paid')
            AND o.created_at <= ${new Date(nowMs - UNATTENDED_MS)}
            AND (o.status <> 'paid' OR (
              EXISTS (SELECT 1 FROM order_effects e
                WHERE e.out_trade_no = o.out_trade_no AND e.status IN ('pending', 'failed'))
              AND NOT EXISTS (SELECT 1 FROM interventions i
                WHERE i.order_no = o.out_trade_no AND i.status = 'open')))
          ORDER BY o.created_at LIMIT ${MAX_UNATTENDED} FOR NO KEY UPDATE SKIP LOCKED)
        RETURNING out_trade_no AS "outTradeNo"`;
      return rows.map((row) => row.outTradeNo);
    },
  };
}

async function findOverdue(
  { prisma }: DatabaseContext,
  kind: OverdueKind,
  nowMs: number,
): Promise<OverdueRows> {
  const rows = view(kind, nowMs);
  const wokenBefore = new Date(nowMs - WAKE_MS);
  const all = await prisma.$queryRaw<{ key: string }[]>`
    SELECT v.key FROM ${rows} v ORDER BY v.due_at LIMIT ${MAX_COUNTED}`;
  const keys = all.map(({ key }) => key);
  if (keys.length === 0) return { keys, toWake: [], stuck: [] };
  const toWake = await prisma.$queryRaw<OverdueRow[]>`
    SELECT ${COLUMNS} FROM ${rows} v WHERE v.woken_at IS NULL
    ORDER BY v.due_at LIMIT ${MAX_WOKEN}`;
  // Left out: rows with an open, a just resolved, or a dismissed intervention about the same due
  // time.
  const stuck = await prisma.$queryRaw<OverdueRow[]>`
    SELECT ${COLUMNS} FROM ${rows} v
    WHERE v.woken_at <= ${wokenBefore} AND NOT EXISTS (
      SELECT 1 FROM interventions i WHERE i.out_trade_no = v.out_trade_no
        AND i.reason = 'stuck' AND i.subject = v.subject
        AND (i.status = 'open' OR i.resolved_at > ${wokenBefore}
          OR (i.resolution = 'dismiss' AND i.evidence->>'due_at' = ${DUE_TEXT})))
    ORDER BY v.due_at LIMIT ${MAX_STUCK + 1}`;
  return { keys, toWake, stuck };
}

async function recordWoken(
  { prisma }: DatabaseContext,
  kind: OverdueKind,
  rows: readonly OverdueRow[],
  nowMs: number,
): Promise<void> {
  if (rows.length === 0) return;
  const now = new Date(nowMs);
  const keys = rows.map(({ key }) => key);
  const late = new Date(nowMs - LATE_MS);
  switch (kind) {
    case 'order_overdue':
      await prisma.$executeRaw`UPDATE orders SET woken_at = ${now}
        WHERE out_trade_no IN (SELECT out_trade_no FROM orders WHERE out_trade_no = ANY(${keys})
          AND due_at <= ${late} AND woken_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)`;
      return;
    case 'refund_overdue':
      await prisma.$executeRaw`UPDATE refunds SET woken_at = ${now}
        WHERE out_refund_no IN (SELECT out_refund_no FROM refunds WHERE out_refund_no = ANY(${keys})
          AND due_at <= ${late} AND woken_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)`;
      return;
    case 'sharing_overdue':
      await prisma.$executeRaw`UPDATE profit_sharings SET woken_at = ${now}
        WHERE out_order_no IN (SELECT out_order_no FROM profit_sharings
          WHERE out_order_no = ANY(${keys}) AND due_at <= ${late} AND woken_at IS NULL
          FOR NO KEY UPDATE SKIP LOCKED)`;
      return;
    case 'delivery_overdue':
      await prisma.$executeRaw`UPDATE deliveries SET woken_at = ${now}
        WHERE id IN (SELECT id FROM deliveries WHERE id = ANY(${keys}) AND status = 'pending'
          AND next_attempt_at <= ${late} FOR NO KEY UPDATE SKIP LOCKED)`;
      return;
  }
}

function openStuck(
  { prisma }: DatabaseContext,
  stuck: {
    readonly kind: OverdueKind;
    readonly row: OverdueRow;
    readonly run: object;
    readonly nowMs: number;
  },
): Promise<boolean> {
  const { kind, row, run, nowMs } = stuck;
  return prisma.$transaction(async (tx) => {
    const [still] = await tx.$queryRaw<{ key: string }[]>`
      SELECT v.key FROM ${view(kind, nowMs)} v
      WHERE v.key = ${row.key} AND v.due_at = ${row.dueAt} LIMIT 1`;
    if (!still) return false;
    return openIntervention(tx, {
      outTradeNo: row.outTradeNo,
      ours: row.ours,
      reason: 'stuck',
      subject: row.subject,
      evidence: {
        due_at: row.dueAt.toISOString(),
        status: row.status,
        woken_at: row.wokenAt?.toISOString() ?? null,
        run,
      },
      now: new Date(nowMs),
    });
  });
}

async function endMoved({ prisma }: DatabaseContext, nowMs: number): Promise<string[]> {
  const now = new Date(nowMs);
  const rows = await prisma.$queryRaw<{ outTradeNo: string }[]>`
    UPDATE interventions SET status = 'resolved', resolved_at = ${now}, resolution = 'moot'
    WHERE status = 'open' AND id IN (
      SELECT i.id FROM interventions i WHERE i.status = 'open' AND i.reason = 'stuck' AND CASE
        WHEN i.subject = ${RUN_SUBJECT} THEN EXISTS (SELECT 1 FROM orders o
          WHERE o.out_trade_no = i.out_trade_no AND coalesce(o.due_at > ${now}, true))
        WHEN i.subject LIKE ${`${subjectPrefix('refund')}%`} THEN EXISTS (
          SELECT 1 FROM refunds r
          WHERE ${subjectPrefix('refund')} || r.out_refund_no = i.subject
            AND r.out_trade_no = i.out_trade_no
            AND coalesce(r.due_at > ${now}, true))
        WHEN i.subject LIKE ${`${subjectPrefix('sharing')}%`} THEN EXISTS (
          SELECT 1 FROM profit_sharings s
          WHERE ${subjectPrefix('sharing')} || s.out_order_no = i.subject
            AND s.out_trade_no = i.out_trade_no
            AND coalesce(s.due_at > ${now}, true))
        WHEN i.subject LIKE ${`${subjectPrefix('delivery')}%`} THEN NOT EXISTS (
          SELECT 1 FROM deliveries d
          WHERE d.out_trade_no = i.out_trade_no AND ${subjectPrefix('delivery')} || d.id = i.subject
            AND d.status = 'pending' AND d.next_attempt_at <= ${now})
        ELSE false END
      ORDER BY i.since LIMIT ${MAX_ENDED} FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING out_trade_no AS "outTradeNo"`;
  return rows.map((row) => row.outTradeNo);
}
