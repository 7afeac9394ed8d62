import { isSettled, type RefundStatus } from '../../domain/refunds/refund-state';
import type { AttemptOutcome } from '../core/attempt-outcome';
import type { DatabaseContext, Tx } from '../core/context';
import { openIntervention } from '../interventions/open-intervention';
import { returnRefundToken, takeRefundToken } from './take-refund-token';
import {
  settleAbsent,
  settleAttempt,
  settleForeign,
  startAttempt,
  type AcceptedAttempt,
} from './refund-attempts';
import { mayBeRedirected, redirect, redirectAgain, type Redirect } from './redirect-refund';
import { storedRefund, type LockedRefund, type StoredRefund } from './lock-refund';
import {
  openRedirectIntervention,
  hasOpenIntervention,
  lockRefund,
  settleRefund,
  type RefundReport,
} from './settle-refund';
import { recordStillAbnormal } from './watch-abnormal-refund';
import { finishTakeBacks, takeBackTurn, type TakeBackTurn } from './take-back-shares';

export type RefundTurn =
  /** Shared money that it needs is taken back first. */
  | TakeBackTurn
  /** Nothing is left to do: settled, or a person is needed. */
  | {
      readonly kind: 'over';
      readonly status: RefundStatus | 'unknown_refund';
      /** The order whose run has something to do, when there is one. */
      readonly dueOrder: string | null;
    }
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Send it; the attempt is recorded. */
  | { readonly kind: 'send'; readonly attemptId: string; readonly refund: StoredRefund }
  /** Ask first: an attempt may have been taken, or WeChat works on it. */
  | {
      readonly kind: 'ask';
      readonly refund: StoredRefund;
      readonly acceptedAtMs: number | null;
      readonly ifNotTaken: IfNotTaken;
    }
  | Redirect;

/**
 * What goes out again, unchanged, once WeChat says that no attempt was taken: the refund, when it doesn't
 * know the number, or where an abnormal one shall go, when it still is abnormal. null: it was taken.
 */
export type IfNotTaken = 'send' | 'redirect' | null;

export interface RefundLimits {
  /** Least time between two refunds of one order. */
  readonly spacingMs: number;
  /** Longest life of an attempt. */
  readonly attemptLifeMs: number;
  /** To wait while as many requests are under way as may fail at once. */
  readonly busyMs: number;
}

export type StartedAgain =
  | { readonly kind: 'send'; readonly attemptId: string }
  | { readonly kind: 'wait'; readonly delayMs: number };

/** What a refund's run does with its row. Every request is written before it is sent. */
export function createRefunds(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** null when there is no such refund. */
    async status(outRefundNo: string): Promise<RefundStatus | null> {
      const where = { outRefundNo };
      const row = await prisma.refund.findUnique({ where, select: { status: true } });
      return row && (row.status as RefundStatus);
    },

    /**
     * Whose turn it is, asked at the start of each attempt: the row decides.
     * @param limits in ms
     */
    turn: (outRefundNo: string, limits: RefundLimits, nowMs: () => number): Promise<RefundTurn> =>
      takeTurn(context, outRefundNo, limits, nowMs),

    /** WeChat doesn't know the number, so it may be sent, again with the same number, when its time has come. */
    startAfterAbsence: (outRefundNo: string, limits: RefundLimits, nowMs: () => number) =>
      startAfterAbsence(context, outRefundNo, limits, nowMs),

    /**
     * WeChat says that it still is abnormal, so it may be told again where the money shall go.
     * @returns null when that is no longer so here
     */
    redirectAgain: (outRefundNo: string, attemptLifeMs: number, nowMs: number) =>
      redirectAgain(context, outRefundNo, attemptLifeMs, nowMs),

    /** Notes how a request ended that WeChat did not take. */
    async attemptEnded(
      attemptId: string,
      outcome: AttemptOutcome,
      code: string | null,
      requestId: string | null,
      nowMs: number,
    ): Promise<void> {
      await settleAttempt(prisma, attemptId, outcome, code, requestId, new Date(nowMs));
    },

    /** WeChat has another refund under this number, so it can't have ours. */
    isForeign: (outRefundNo: string, nowMs: number): Promise<void> =>
      settleForeign(prisma, outRefundNo, new Date(nowMs)),

    /** Books what WeChat said, with all that follows. @returns the status it has now */
    recordReport: (
      outRefundNo: string,
      word: RefundReport,
      attempt: AcceptedAttempt | null,
      nowMs: number,
    ): Promise<RefundStatus | 'unknown_refund'> =>
      recordRefundReport(context, outRefundNo, word, attempt, nowMs),

    /** When the run comes round again at the latest (P12). */
    async dueAgain(outRefundNo: string, atMs: number, nextQueryAtMs: number | null): Promise<void> {
      await prisma.refund.updateMany({
        where: {
          outRefundNo,
          OR: [
            { status: { in: ['pending', 'processing', 'abnormal'] } },
            { returns: { some: { status: { in: ['pending', 'processing'] } } } },
          ],
        },
        data: {
          dueAt: new Date(atMs + DUE_GRACE_MS),
          ...(nextQueryAtMs === null ? {} : { nextQueryAt: new Date(nextQueryAtMs) }),
        },
      });
    },
  };
}

/** A run is this late before it is looked for. */
const DUE_GRACE_MS = 15_000;
/** A query that comes this little too early is made at once. */
const EARLY_MS = 500;

async function takeTurn(
  context: DatabaseContext,
  outRefundNo: string,
  limits: RefundLimits,
  clock: () => number,
): Promise<RefundTurn> {
  return context.prisma.$transaction(async (tx): Promise<RefundTurn> => {
    const row = await lockRefund(tx, outRefundNo);
    if (!row) return { kind: 'over', status: 'unknown_refund', dueOrder: null };
    // Whoever waited for the lock is later than it began.
    const nowMs = clock();
    const now = new Date(nowMs);
    if (isSettled(row.status)) {
      if (await hasOpenIntervention(tx, row)) return over(tx, row);
      return (await finishTakeBacks(context, tx, row, limits.attemptLifeMs, now)) ?? over(tx, row);
    }
    if (await hasOpenIntervention(tx, row)) return over(tx, row);
    if (row.status === 'abnormal') {
      // Nobody has said where it shall go.
      if (row.abnormalEncrypted === null) return lookAtAbnormal(tx, row, nowMs);
      if (await mayBeRedirected(tx, outRefundNo)) return ask(row, 'redirect');
      const again = await redirect(context, tx, row, limits.attemptLifeMs, now);
      return again ?? over(tx, row);
    }
    const askAtMs = row.nextQueryAt?.getTime() ?? 0;
    if (row.status === 'processing') {
      if (askAtMs > nowMs + EARLY_MS) return { kind: 'wait', delayMs: askAtMs - nowMs };
      return ask(row, null);
    }
    const open = await tx.refundAttempt.count({
      where: { outRefundNo, OR: [{ outcome: null }, { outcome: { not: 'refused' } }] },
    });
    if (open > 0) return ask(row, 'send');
    const first = await takeBackTurn(context, tx, row, limits.attemptLifeMs, now);
    if (first?.kind === 'asked') await over(tx, row);
    if (first) return first;
    const waitMs = await spacing(tx, row, limits.spacingMs, nowMs);
    if (waitMs > 0) return { kind: 'wait', delayMs: waitMs };
    if (!(await takeRefundToken(tx))) return { kind: 'wait', delayMs: limits.busyMs };
    const attemptId = await startAttempt(tx, row, 'refund', limits.attemptLifeMs, now);
    return { kind: 'send', attemptId, refund: storedRefund(row) };
  });
}

/** Nothing is due of a refund that has ended or waits for a person. */
async function over(tx: Tx, row: LockedRefund): Promise<RefundTurn> {
  await tx.refund.updateMany({
    where: { outRefundNo: row.outRefundNo, dueAt: { not: null } },
    data: { dueAt: null },
  });
  const due = await tx.order.count({
    where: { outTradeNo: row.orderNo ?? '', dueAt: { not: null } },
  });
  return { kind: 'over', status: row.status, dueOrder: due > 0 ? row.orderNo : null };
}

/** One that is dismissed is handled elsewhere: WeChat is asked about it now and then. */
async function lookAtAbnormal(tx: Tx, row: LockedRefund, nowMs: number): Promise<RefundTurn> {
  if (row.nextQueryAt === null) return over(tx, row);
  if (row.nextQueryAt.getTime() <= nowMs + EARLY_MS) return ask(row, null);
  return { kind: 'over', status: row.status, dueOrder: null };
}

function ask(row: LockedRefund, ifNotTaken: IfNotTaken): RefundTurn {
  const acceptedAtMs = row.acceptedAt?.getTime() ?? null;
  return { kind: 'ask', refund: storedRefund(row), acceptedAtMs, ifNotTaken };
}

/**
 * WeChat wants refunds of one order some time apart: a later one waits, it does not fail. When one arrived there
 * is not known, so the time counts from its answer, or from now while that is not there.
 */
async function spacing(tx: Tx, row: LockedRefund, spacingMs: number, nowMs: number): Promise<number> {
  const [last] = await tx.$queryRaw<{ at: Date | null }[]>`
    SELECT max(coalesce(a.finished_at, least(${new Date(nowMs)}, a.deadline_at))) AS at
    FROM refund_attempts a JOIN refunds r USING (out_refund_no)
    WHERE r.transaction_key = ${row.transactionKey}::uuid AND a.operation = 'refund'
      AND r.out_refund_no <> ${row.outRefundNo}`;
  return last?.at ? last.at.getTime() + spacingMs - nowMs : 0;
}

async function startAfterAbsence(
  { prisma }: DatabaseContext,
  outRefundNo: string,
  limits: RefundLimits,
  clock: () => number,
): Promise<StartedAgain> {
  return prisma.$transaction(async (tx): Promise<StartedAgain> => {
    const row = await lockRefund(tx, outRefundNo);
    if (row?.status !== 'pending') return { kind: 'wait', delayMs: limits.busyMs };
    const nowMs = clock();
    const now = new Date(nowMs);
    await settleAbsent(tx, outRefundNo, now);
    const waitMs = await spacing(tx, row, limits.spacingMs, nowMs);
    if (waitMs > 0) return { kind: 'wait', delayMs: waitMs };
    if (!(await takeRefundToken(tx))) return { kind: 'wait', delayMs: limits.busyMs };
    const attemptId = await startAttempt(tx, row, 'refund', limits.attemptLifeMs, now);
    return { kind: 'send', attemptId };
  });
}

async function recordRefundReport(
  context: DatabaseContext,
  outRefundNo: string,
  word: RefundReport,
  attempt: AcceptedAttempt | null,
  nowMs: number,
): Promise<RefundStatus | 'unknown_refund'> {
  const now = new Date(nowMs);
  return context.prisma.$transaction(async (tx) => {
    const row = await lockRefund(tx, outRefundNo);
    if (attempt) {
      await settleAttempt(tx, attempt.id, 'accepted', null, attempt.requestId, now);
      if (attempt.operation === 'refund') await returnRefundToken(tx);
    }
    if (!row) return 'unknown_refund';
    const step = await settleRefund(context, tx, row, word, now);
    if (step.kind === 'moved') return step.to;
    if (step.kind === 'refused') await openContradictionIntervention(tx, row, word, now);
    if (row.status === 'abnormal' && attempt?.operation === 'abnormal') {
      await openRedirectIntervention(tx, row, word.evidence, now);
    } else if (row.status === 'abnormal' && attempt === null) {
      await recordStillAbnormal(tx, row, word.evidence, now);
    }
    if (step.kind === 'duplicate' && word.nextQueryAt !== null) {
      const dueAt = new Date(word.nextQueryAt.getTime() + DUE_GRACE_MS);
      const data = { nextQueryAt: word.nextQueryAt, dueAt };
      await tx.refund.updateMany({ where: { outRefundNo, status: 'processing' }, data });
    }
    return row.status;
  });
}

/** WeChat says something that can't be of a refund that has ended here: money may have moved. */
async function openContradictionIntervention(
  tx: Tx,
  row: LockedRefund,
  word: RefundReport,
  now: Date,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: row.outTradeNo,
    ours: row.orderNo !== null,
    reason: 'reconciliation',
    subject: row.outRefundNo,
    evidence: {
      expected: row.status,
      seen: word.event,
      refund_id: word.refundId,
      ...word.evidence,
    },
    amountFen: row.amountFen,
    now,
  });
}
