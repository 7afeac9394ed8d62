// Gives the run of a refund its steps in the database: take a turn, record attempts and reports.
import type { RefundStatus } from '../../domain/refunds/refund-state';
import type { DatabaseContext, Tx } from '../core/context';
import { DUE_GRACE_MS } from '../core/due-times';
import type { TxScope } from '../core/tx-scope';
import {
  acceptAttempt,
  endAttempt,
  refuseForeignAttempts,
  type AcceptedAttempt,
  type EndedAttempt,
} from '../requests/numbered-attempts';
import type { StartedAgain } from '../requests/numbered-turn';
import { lockRefund, refundAttempts, type RefundOperation } from './lock-refund';
import {
  openContradictionIntervention,
  openRedirectIntervention,
} from './open-refund-intervention';
import { redirectAgain } from './redirect-refund';
import { settleRefund, type RefundReport } from './settle-refund';
import { returnRefundToken } from './refund-limits';
import {
  startRefundAgain,
  takeRefundTurn,
  type RefundLimits,
  type RefundTurn,
} from './take-refund-turn';
import { recordStillAbnormal } from './watch-abnormal-refund';

/** An attempt of a refund that WeChat accepted, and which of its two requests that was. */
export interface AcceptedRefundAttempt extends AcceptedAttempt {
  readonly operation: RefundOperation;
}

/** The steps of a refund's run on its row. Every attempt is recorded before it is sent (P8). */
export function createRefunds(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** The status of a refund; null when there is no such refund. */
    async status(outRefundNo: string): Promise<RefundStatus | null> {
      const where = { outRefundNo };
      const row = await prisma.refund.findUnique({ where, select: { status: true } });
      return row && (row.status as RefundStatus);
    },

    /** The next step of the run, read from the row at the start of each attempt. */
    turn: (outRefundNo: string, limits: RefundLimits, nowMs: () => number): Promise<RefundTurn> =>
      limited(context, outRefundNo, () => takeRefundTurn(context, outRefundNo, limits, nowMs)),

    /** WeChat doesn't know the number: it is sent again, the same, when the limits allow it. */
    startAfterAbsence: (
      outRefundNo: string,
      limits: RefundLimits,
      nowMs: () => number,
    ): Promise<StartedAgain> =>
      limited(context, outRefundNo, () => startRefundAgain(context, outRefundNo, limits, nowMs)),

    /**
     * WeChat reports the refund as abnormal still: records another attempt to redirect it.
     * @returns null when the refund isn't abnormal here any more
     */
    redirectAgain: (
      outRefundNo: string,
      limits: Pick<RefundLimits, 'attemptLifeMs' | 'busyMs'>,
      nowMs: number,
    ) => limited(context, outRefundNo, () => redirectAgain(context, outRefundNo, limits, nowMs)),

    /** Records how an attempt ended that WeChat did not accept. */
    endAttempt: (attempt: EndedAttempt, nowMs: number): Promise<void> =>
      endAttempt({ tx: prisma, now: new Date(nowMs) }, 'refund_attempts', attempt),

    /** WeChat has another refund under this number, so none of our attempts was taken. */
    refuseForeignAttempts: (outRefundNo: string, nowMs: number): Promise<void> => {
      const attempts = refundAttempts(outRefundNo, 'refund');
      return refuseForeignAttempts({ tx: prisma, now: new Date(nowMs) }, attempts);
    },

    /**
     * Records what WeChat reported, with all that follows.
     * @param attempt the one that WeChat responded to; null after a query
     * @returns the status that the refund has now
     */
    recordReport: (
      outRefundNo: string,
      report: RefundReport,
      attempt: AcceptedRefundAttempt | null,
      nowMs: number,
    ): Promise<RefundStatus | 'unknown_refund'> =>
      limited(context, outRefundNo, () =>
        prisma.$transaction((tx) => {
          const scope = { tx, now: new Date(nowMs) };
          return recordRefundReport(context, scope, outRefundNo, { ...report, attempt });
        }),
      ),

    /** Writes when the run comes round again at the latest (P12). */
    async dueAgain(outRefundNo: string, atMs: number): Promise<void> {
      await prisma.refund.updateMany({
        where: {
          outRefundNo,
          OR: [
            { status: { in: ['pending', 'processing', 'abnormal'] } },
            { returns: { some: { status: { in: ['pending', 'processing'] } } } },
          ],
        },
        data: { dueAt: new Date(atMs + DUE_GRACE_MS) },
      });
    },
  };
}

/** Runs a step once few enough others work on the order: all its refunds lock its row. */
async function limited<T>(
  { prisma, limitRows }: DatabaseContext,
  outRefundNo: string,
  step: () => Promise<T>,
): Promise<T> {
  const where = { outRefundNo };
  const row = await prisma.refund.findUnique({ where, select: { outTradeNo: true } });
  return limitRows(row ? [`order:${row.outTradeNo}`] : [], step);
}

async function recordRefundReport(
  context: DatabaseContext,
  scope: TxScope,
  outRefundNo: string,
  report: RefundReport & { readonly attempt: AcceptedRefundAttempt | null },
): Promise<RefundStatus | 'unknown_refund'> {
  const { attempt, evidence, nextQueryAt } = report;
  const refund = await lockRefund(scope.tx, outRefundNo);
  if (attempt) await acceptRefundAttempt(scope, attempt);
  if (!refund) return 'unknown_refund';
  const step = await settleRefund(context, scope, refund, report);
  if (step.kind === 'moved') return step.to;
  if (step.kind === 'refused') await openContradictionIntervention(scope, refund, report);
  if (refund.status === 'abnormal' && attempt?.operation === 'abnormal') {
    await openRedirectIntervention(scope, refund, evidence);
  } else if (refund.status === 'abnormal' && attempt === null) {
    await recordStillAbnormal(scope, refund, evidence);
  }
  if (step.kind === 'duplicate' && nextQueryAt !== null) {
    await planQuery(scope.tx, outRefundNo, nextQueryAt);
  }
  return refund.status;
}

async function acceptRefundAttempt(scope: TxScope, attempt: AcceptedRefundAttempt): Promise<void> {
  await acceptAttempt(scope, 'refund_attempts', attempt);
  await returnRefundToken(scope.tx);
}

/** Writes when WeChat is queried again about a refund that it works on. */
async function planQuery(tx: Tx, outRefundNo: string, nextQueryAt: Date): Promise<void> {
  const dueAt = new Date(nextQueryAt.getTime() + DUE_GRACE_MS);
  await tx.refund.updateMany({
    where: { outRefundNo, status: 'processing' },
    data: { nextQueryAt, dueAt },
  });
}
