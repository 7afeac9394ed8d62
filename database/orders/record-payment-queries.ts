// Records when an order's payment is queried at WeChat, and the payments that are found.
import { v7 as uuidv7 } from 'uuid';
import { PAUSING_REASONS } from '../../domain/interventions/reasons';
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import { nextQueryAt } from '../../domain/orders/query-schedule';
import type { PaymentNotice } from '../../domain/payments/notices';
import { DUE_GRACE_MS, EARLY_MS, PAUSED_POLL_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';

const CLOSE_FAILED = {
  status: 'open',
  reason: 'wechat_failed',
  subject: WECHAT_SUBJECTS.close,
} as const;

/** The next step of an order's queries. */
export type QueryTurn =
  /** The order can't be paid any more: there is nothing to query. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'expired' }
  | { readonly kind: 'wait'; readonly delayMs: number }
  | {
      readonly kind: 'query';
      readonly merchantId: string;
      readonly appId: string;
      readonly nextDelayMs: number;
    };

/** A payment that a query has found. */
export interface FoundPayment {
  readonly notice: PaymentNotice;
  readonly raw: string;
  readonly merchantId: string;
  /** Our own refunds of the payment that WeChat has carried out. */
  readonly refunds: readonly FoundRefund[];
  /** The cause of the query: the order's schedule, or a line of a bill; `query` when left out. */
  readonly source?: FoundSource;
}

type FoundSource = 'query' | 'bill';

/** A refund that a query for a line of a bill has found. */
export interface BillRefund {
  readonly outTradeNo: string;
  readonly transactionId: string;
  readonly merchantId: string;
  readonly refund: FoundRefund;
}

/** A refund that a query has found. */
export interface FoundRefund {
  readonly outRefundNo: string;
  readonly status: string;
  /** The same text as in a callback. */
  readonly raw: string;
}

interface TurnRow {
  status: string;
  expiresAt: Date;
  firstPrepaidAt: Date | null;
  nextQueryAt: Date | null;
  merchantId: string;
  appId: string;
  paused: boolean;
  /**
   * WeChat refuses to close the order until a person acts, so it can still be paid after its end.
   */
  closeFailed: boolean;
  /** An intervention is open that a query may end: about refused queries, or unexplained money. */
  mayFindPayment: boolean;
}

/** The rows of an order's query activity: when to query, and the payments that were found. */
export function createQueries(context: DatabaseContext) {
  return {
    /**
     * Decides at the start of each attempt whether to query now, and records when the next query is
     * due at the latest (P12). The row decides, not the number of the attempt.
     * @param gapsMs the query schedule, see domain/orders/query-schedule
     */
    turn: (outTradeNo: string, gapsMs: readonly number[], nowMs: number) =>
      takeTurn(context, outTradeNo, gapsMs, nowMs),

    /**
     * Plans a query at `atMs` (Unix ms), if the next one is later: WeChat gave no usable response.
     */
    queryAgainAt: async (outTradeNo: string, atMs: number): Promise<void> => {
      await context.prisma.order.updateMany({
        where: { outTradeNo, nextQueryAt: { gt: new Date(atMs) } },
        data: { nextQueryAt: new Date(atMs) },
      });
    },

    /** True when a person dismissed the payment because it named another appid or merchant. */
    isDismissed: (outTradeNo: string, transactionId: string | null) =>
      isDismissed(context, outTradeNo, transactionId),

    /**
     * Stores a payment that a query found in the inbox, like a callback, so that both are applied
     * alike.
     * @returns true when it waits for a verdict
     */
    keepFound: (found: FoundPayment, nowMs: number) => keepFound(context, found, nowMs),

    /** The same of a refund that a bill named. @returns true when it waits for a verdict */
    keepBillRefund: (found: BillRefund, nowMs: number) => keepBillRefund(context, found, nowMs),
  };
}

async function takeTurn(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  gapsMs: readonly number[],
  nowMs: number,
): Promise<QueryTurn> {
  const [row] = await prisma.$queryRaw<TurnRow[]>`
    SELECT status, expires_at AS "expiresAt", first_prepaid_at AS "firstPrepaidAt",
      next_query_at AS "nextQueryAt", merchant_id AS "merchantId", app_id AS "appId",
      EXISTS (SELECT 1 FROM interventions i WHERE i.order_no = orders.out_trade_no
        AND i.status = 'open' AND i.reason = ANY(${[...PAUSING_REASONS]})) AS paused,
      EXISTS (SELECT 1 FROM interventions i WHERE i.order_no = orders.out_trade_no
        AND i.status = 'open' AND i.reason = 'wechat_failed'
        AND i.subject = ${WECHAT_SUBJECTS.close}) AS "closeFailed",
      EXISTS (SELECT 1 FROM interventions i WHERE i.order_no = orders.out_trade_no
        AND i.status = 'open' AND (i.reason = 'reconciliation'
          OR i.reason = 'wechat_failed' AND i.subject = ${WECHAT_SUBJECTS.query}))
        AS "mayFindPayment"
    FROM orders WHERE out_trade_no = ${outTradeNo}`;
  if (!row || (row.status !== 'created' && row.status !== 'awaiting_payment')) {
    return { kind: 'gone' };
  }
  if (row.paused) {
    await setDue(prisma, outTradeNo, { dueAt: new Date(nowMs + PAUSED_POLL_MS + DUE_GRACE_MS) });
    return { kind: 'wait', delayMs: PAUSED_POLL_MS };
  }
  const expiresAt = row.closeFailed ? Number.MAX_SAFE_INTEGER : row.expiresAt.getTime();
  if (expiresAt <= nowMs) return { kind: 'expired' };
  const due = row.nextQueryAt?.getTime() ?? nowMs + (gapsMs[0] ?? PAUSED_POLL_MS);
  if (due > nowMs + EARLY_MS) {
    const wakeAt = Math.min(due, expiresAt);
    await setDue(prisma, outTradeNo, { dueAt: new Date(wakeAt + DUE_GRACE_MS) });
    const delayMs = wakeAt - nowMs;
    return {
      kind: 'wait',
      delayMs: row.mayFindPayment ? Math.min(delayMs, PAUSED_POLL_MS) : delayMs,
    };
  }
  const from = row.firstPrepaidAt?.getTime() ?? nowMs;
  const next = nextQueryAt(from, nowMs + EARLY_MS, gapsMs);
  const wakeAt = Math.min(next, expiresAt);
  await setDue(prisma, outTradeNo, {
    dueAt: new Date(wakeAt + DUE_GRACE_MS),
    nextQueryAt: new Date(next),
  });
  const { merchantId, appId } = row;
  return { kind: 'query', merchantId, appId, nextDelayMs: wakeAt - nowMs };
}

async function isDismissed(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  transactionId: string | null,
): Promise<boolean> {
  if (transactionId === null) return false;
  const foreign = { outTradeNo, reason: 'identity_mismatch', subject: transactionId };
  const [dismissed, open] = await Promise.all([
    prisma.intervention.count({ where: { ...foreign, resolution: 'dismiss' } }),
    prisma.intervention.count({ where: { ...foreign, status: 'open' } }),
  ]);
  return dismissed > 0 && open === 0;
}

async function keepFound(
  context: DatabaseContext,
  { notice, raw, merchantId, refunds, source = 'query' }: FoundPayment,
  nowMs: number,
): Promise<boolean> {
  const { prisma, hash } = context;
  const { outTradeNo, transactionId, tradeState, totalFen, currency, appId } = notice;
  // WeChat may word the same response anew each time: only the facts about the money count.
  const state = tradeState ?? notice.reportedState;
  const report = [transactionId, state, totalFen, currency, appId, notice.merchantId];
  const contentHash = hash.hex('notice', JSON.stringify(report));
  // After a person resolved `retry`, the same response is judged anew.
  const retries = await prisma.intervention.count({
    where: { outTradeNo, reason: 'amount_mismatch', resolution: 'retry' },
  });
  const parts = [transactionId ?? 'none', contentHash.slice(0, 16), ...(retries ? [retries] : [])];
  const of = { merchantId, outTradeNo, source, nowMs };
  const payment = {
    kind: 'payment',
    contentHash,
    raw,
    id: `${source}:${parts.join(':')}`,
  } as const;
  const rows = [foundRow(context, of, payment)];
  for (const refund of refunds) {
    rows.push(foundRow(context, of, refundReport(context, of, transactionId, refund)));
  }
  return storeFound({ prisma }, merchantId, rows);
}

function keepBillRefund(
  context: DatabaseContext,
  { outTradeNo, transactionId, merchantId, refund }: BillRefund,
  nowMs: number,
): Promise<boolean> {
  const of = { merchantId, outTradeNo, source: 'bill', nowMs } as const;
  const row = foundRow(context, of, refundReport(context, of, transactionId, refund));
  return storeFound(context, merchantId, [row]);
}

function refundReport(
  { hash }: DatabaseContext,
  { source }: FoundOf,
  transactionId: string | null,
  { outRefundNo, status, raw }: FoundRefund,
) {
  return {
    kind: 'refund',
    contentHash: hash.hex('notice', JSON.stringify([outRefundNo, status, transactionId])),
    raw,
    id: `${source}:${outRefundNo}:${status}`,
  } as const;
}

/** @returns true when one of the rows waits for its verdict */
async function storeFound(
  { prisma }: Pick<DatabaseContext, 'prisma'>,
  merchantId: string,
  rows: readonly ReturnType<typeof foundRow>[],
): Promise<boolean> {
  await prisma.inboxNotification.createMany({ data: [...rows], skipDuplicates: true });
  const open = await prisma.inboxNotification.count({
    where: {
      merchantId,
      notificationId: { in: rows.map(({ notificationId }) => notificationId) },
      verdict: null,
    },
  });
  return open > 0;
}

interface FoundOf {
  readonly merchantId: string;
  readonly outTradeNo: string;
  readonly source: FoundSource;
  readonly nowMs: number;
}

function foundRow(
  { cipher }: DatabaseContext,
  of: FoundOf,
  report: {
    readonly kind: 'payment' | 'refund';
    readonly contentHash: string;
    readonly raw: string;
    readonly id: string;
  },
) {
  const id = uuidv7();
  const place = { table: 'notification_inbox', column: 'resource', row: id };
  return {
    id,
    merchantId: of.merchantId,
    notificationId: report.id,
    source: of.source,
    kind: report.kind,
    outTradeNo: of.outTradeNo,
    contentHash: report.contentHash,
    resourceEncrypted: cipher.encrypt(place, report.raw),
    receivedAt: new Date(of.nowMs),
    nextAttemptAt: new Date(of.nowMs + DUE_GRACE_MS),
  };
}

async function setDue(
  prisma: DatabaseContext['prisma'],
  outTradeNo: string,
  data: { dueAt: Date; nextQueryAt?: Date },
): Promise<void> {
  await prisma.order.updateMany({
    where: {
      outTradeNo,
      status: { in: ['created', 'awaiting_payment'] },
      // A close that is under way has its own due time, unless it waits for a person.
      OR: [{ closeRequestedAt: null }, { interventions: { some: CLOSE_FAILED } }],
    },
    data,
  });
}
