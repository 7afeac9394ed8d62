// Decides what the run of a refund does next, under the refund's lock.
import { isSettled, type RefundStatus } from '../../domain/refunds/refund-state';
import type { DatabaseContext, Tx } from '../core/context';
import { EARLY_MS } from '../core/due-times';
import { mayBeTaken, refuseAbsentAttempts, startAttempt } from '../requests/numbered-attempts';
import type { NumberedTurn, StartedAgain, TurnScope } from '../requests/numbered-turn';
import {
  lockRefund,
  refundAttempts,
  storedRefund,
  type LockedRefund,
  type StoredRefund,
} from './lock-refund';
import { giveWay } from './give-way';
import { hasOpenIntervention } from './open-refund-intervention';
import { mayBeRedirected, redirect, type Redirect, type RedirectScope } from './redirect-refund';
import { takeRefundToken } from './refund-limits';
import { finishTakeBacks, takeBackTurn, type TakeBackTurn } from './take-back-shares';

/** The next step of a refund's run. */
export type RefundTurn =
  | NumberedTurn<StoredRefund>
  /** Shares that the refund needs are taken back first. */
  | TakeBackTurn
  /** Nothing is left to do: the refund is settled, or a person is needed. */
  | {
      readonly kind: 'over';
      readonly status: RefundStatus | 'unknown_refund';
      /** The order whose run has something to do; null when there is none. */
      readonly dueOrder: string | null;
    }
  /** Tells WeChat where the money of an abnormal refund shall go; the attempt is recorded. */
  | Redirect
  /** Queries WeChat before the redirect is sent again: WeChat may have taken it before. */
  | {
      readonly kind: 'query_redirect';
      readonly request: StoredRefund;
      readonly acceptedAtMs: number | null;
    };

export interface RefundLimits {
  /** Least time between two refunds of one payment. */
  readonly spacingMs: number;
  /** Longest life of an attempt. */
  readonly attemptLifeMs: number;
  /** The wait while as many requests are under way as may fail at once. */
  readonly busyMs: number;
}

/**
 * Decides what the run of a refund does next; it records the attempt that the run is to send.
 * @param clock Unix ms; read after the locks, for which the transaction may have waited
 */
export async function takeRefundTurn(
  context: DatabaseContext,
  outRefundNo: string,
  limits: RefundLimits,
  clock: () => number,
): Promise<RefundTurn> {
  return context.prisma.$transaction(async (tx): Promise<RefundTurn> => {
    const refund = await lockRefund(tx, outRefundNo);
    if (!refund) return { kind: 'over', status: 'unknown_refund', dueOrder: null };
    const { attemptLifeMs, busyMs } = limits;
    const scope: RedirectScope = { tx, now: new Date(clock()), attemptLifeMs, busyMs };
    if (await hasOpenIntervention(tx, refund)) return over(tx, refund);
    if (isSettled(refund.status)) {
      return (await finishTakeBacks(context, scope, refund)) ?? over(tx, refund);
    }
    switch (refund.status) {
      case 'abnormal':
        return abnormalTurn(context, scope, refund);
      case 'processing':
        return processingTurn(refund, scope.now.getTime());
      default:
        return pendingTurn(context, scope, refund, limits);
    }
  });
}

async function abnormalTurn(
  context: DatabaseContext,
  scope: RedirectScope,
  refund: LockedRefund,
): Promise<RefundTurn> {
  // No person has decided where it shall go.
  if (refund.abnormalEncrypted === null) return watchTurn(scope, refund);
  if (await mayBeRedirected(scope.tx, refund.outRefundNo)) {
    const acceptedAtMs = refund.acceptedAt?.getTime() ?? null;
    return { kind: 'query_redirect', request: storedRefund(refund), acceptedAtMs };
  }
  return (await redirect(context, scope, refund)) ?? over(scope.tx, refund);
}

/** A dismissed abnormal refund is handled elsewhere: the run queries WeChat from time to time. */
async function watchTurn({ tx, now }: TurnScope, refund: LockedRefund): Promise<RefundTurn> {
  if (refund.nextQueryAt === null) return over(tx, refund);
  if (refund.nextQueryAt.getTime() <= now.getTime() + EARLY_MS) return queryTurn(refund, false);
  return { kind: 'over', status: refund.status, dueOrder: null };
}

function processingTurn(refund: LockedRefund, nowMs: number): RefundTurn {
  const queryAtMs = refund.nextQueryAt?.getTime() ?? 0;
  if (queryAtMs > nowMs + EARLY_MS) return { kind: 'wait', delayMs: queryAtMs - nowMs };
  return queryTurn(refund, false);
}

async function pendingTurn(
  context: DatabaseContext,
  scope: TurnScope,
  refund: LockedRefund,
  limits: RefundLimits,
): Promise<RefundTurn> {
  const { tx } = scope;
  if (await mayBeTaken(tx, refundAttempts(refund.outRefundNo, 'refund'))) {
    return queryTurn(refund, true);
  }
  if (await hasGivenWay(context, scope, refund)) {
    return over(tx, { ...refund, status: 'closed' });
  }
  const first = await takeBackTurn(context, scope, refund);
  if (first?.kind === 'person_needed') await over(tx, refund);
  if (first) return first;
  const start = await startWithinLimits(scope, refund, limits);
  return start.kind === 'send' ? { ...start, request: storedRefund(refund) } : start;
}

/** True when the payment does not cover the refund any more, which is closed then. */
async function hasGivenWay(
  context: DatabaseContext,
  scope: TurnScope,
  { transactionKey, outRefundNo }: LockedRefund,
): Promise<boolean> {
  return (await giveWay(context, scope, transactionKey)).includes(outRefundNo);
}

function queryTurn(refund: LockedRefund, mayBeAbsent: boolean): RefundTurn {
  const acceptedAtMs = refund.acceptedAt?.getTime() ?? null;
  return { kind: 'query', request: storedRefund(refund), acceptedAtMs, mayBeAbsent };
}

/** Nothing is due of a refund that has ended or waits for a person. */
async function over(tx: Tx, refund: LockedRefund): Promise<RefundTurn> {
  const { outRefundNo, orderNo, status } = refund;
  await tx.refund.updateMany({
    where: { outRefundNo, dueAt: { not: null } },
    data: { dueAt: null },
  });
  const due = await tx.order.count({
    where: { outTradeNo: orderNo ?? '', dueAt: { not: null } },
  });
  return { kind: 'over', status, dueOrder: due > 0 ? orderNo : null };
}

/**
 * Starts another attempt at a refund whose number WeChat doesn't know: the same number is sent
 * again, as soon as the limits allow it.
 * @param clock Unix ms
 */
export async function startRefundAgain(
  context: DatabaseContext,
  outRefundNo: string,
  limits: RefundLimits,
  clock: () => number,
): Promise<StartedAgain> {
  return context.prisma.$transaction(async (tx): Promise<StartedAgain> => {
    const refund = await lockRefund(tx, outRefundNo);
    if (refund?.status !== 'pending') return { kind: 'wait', delayMs: limits.busyMs };
    const scope = { tx, now: new Date(clock()), attemptLifeMs: limits.attemptLifeMs };
    await refuseAbsentAttempts(scope, refundAttempts(outRefundNo, 'refund'));
    if (await hasGivenWay(context, scope, refund)) return { kind: 'wait', delayMs: limits.busyMs };
    return startWithinLimits(scope, refund, limits);
  });
}

/**
 * Records an attempt when the payment's other refunds and WeChat's failure limit leave room for it.
 */
async function startWithinLimits(
  scope: TurnScope,
  refund: LockedRefund,
  { spacingMs, busyMs }: RefundLimits,
): Promise<StartedAgain> {
  const waitMs = await spacingLeftMs(scope, refund, spacingMs);
  if (waitMs > 0) return { kind: 'wait', delayMs: waitMs };
  if (!(await takeRefundToken(scope.tx))) return { kind: 'wait', delayMs: busyMs };
  const attemptId = await startAttempt(scope, refundAttempts(refund.outRefundNo, 'refund'));
  return { kind: 'send', attemptId };
}

/**
 * WeChat wants refunds of one payment some time apart: a later one waits, it does not fail. Nobody
 * knows when an attempt arrived at WeChat, so the time counts from its response; while there is
 * none, from now, and from the attempt's deadline at the latest.
 * @returns the time still to wait; 0 or less when there is none
 */
async function spacingLeftMs(
  { tx, now }: TurnScope,
  refund: LockedRefund,
  spacingMs: number,
): Promise<number> {
  const [last] = await tx.$queryRaw<{ at: Date | null }[]>`
    SELECT max(coalesce(a.finished_at, least(${now}, a.deadline_at))) AS at
    FROM refund_attempts a JOIN refunds r USING (out_refund_no)
    WHERE r.transaction_key = ${refund.transactionKey}::uuid AND a.operation = 'refund'
      AND r.out_refund_no <> ${refund.outRefundNo}`;
  return last?.at ? last.at.getTime() + spacingMs - now.getTime() : 0;
}
