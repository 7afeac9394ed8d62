// Closes an order step by step: the request, the begin, the attempt at WeChat, the end.
import { v7 as uuidv7 } from 'uuid';
import { canBePaid, type OrderStatus } from '../../domain/orders/order-state';
import type { CloseCause, RunView } from '../../domain/orders/run-view';
import { mayExistAtWechat, settleAttempt, type AttemptResult } from './record-attempts';
import { DUE_GRACE_MS } from '../core/due-times';
import { PAUSING_REASONS } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { withProducts } from '../fulfilment/limit-products';
import { closeLocked } from './close-locked-order';
import { readRunView } from '../core/read-run-view';
import { lockOrder } from '../core/lock-order';

/** How a close goes on. */
export type CloseStart =
  /** The order is closed now, or can't be closed any more. */
  | { readonly kind: 'decided' }
  /** Its money is unclear: an intervention about a mismatch is open. */
  | { readonly kind: 'paused' }
  /** WeChat may know the order, so the run must query it there. */
  | {
      readonly kind: 'query_wechat';
      readonly merchantId: string;
      readonly appId: string;
      /**
       * From this time (Unix ms) on, an order that is unknown to WeChat can't appear there any
       * more.
       */
      readonly absentMeansClosedAtMs: number;
    };

/**
 * The steps of a close: it is requested first, then sent to WeChat if WeChat may know the order.
 */
export function createClosing(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Records that an order shall be closed, before anything is sent. No prepay starts after this.
     * @returns the order's status; null when there is no order with this number
     */
    request: (outTradeNo: string, actor: Actor, nowMs: number) =>
      requestClose(context, outTradeNo, actor, nowMs),

    /**
     * Begins a close. An order that WeChat can't know is closed at once. A single report of WeChat
     * that the order is closed requests nothing: the next query must say so too.
     */
    begin: (outTradeNo: string, cause: CloseCause, nowMs: number) =>
      beginClose(context, outTradeNo, cause, nowMs),

    /** Records an attempt to close, before it is sent. @returns the attempt's id */
    startAttempt: (outTradeNo: string, timeoutMs: number, nowMs: number) =>
      startCloseAttempt(context, outTradeNo, timeoutMs, nowMs),

    /** Records how an attempt to close ended. */
    settleAttempt: (attemptId: string, result: AttemptResult, nowMs: number) =>
      settleAttempt(prisma, attemptId, result, new Date(nowMs)),

    /** Closes the order here, after WeChat has reported it closed: nobody can pay it any more. */
    finish: (outTradeNo: string, cause: CloseCause, nowMs: number) =>
      finishClose(context, outTradeNo, cause, nowMs),
  };
}

function requestClose(
  { prisma, limitRows }: DatabaseContext,
  outTradeNo: string,
  actor: Actor,
  nowMs: number,
): Promise<OrderStatus | null> {
  const now = new Date(nowMs);
  return limitRows([`order:${outTradeNo}`], () =>
    prisma.$transaction(async (tx) => {
      const order = await lockOrder(tx, outTradeNo);
      if (!order || !canBePaid(order.status) || order.closeRequestedAt) {
        return order?.status ?? null;
      }
      const dueAt = new Date(nowMs + DUE_GRACE_MS);
      await tx.order.updateMany({
        where: { outTradeNo },
        data: { closeRequestedAt: now, dueAt },
      });
      await tx.auditEntry.createMany({
        data: [{ actor: actor.name, role: actor.role, action: 'order.close', subject: outTradeNo }],
      });
      return order.status;
    }),
  );
}

function beginClose(
  context: DatabaseContext,
  outTradeNo: string,
  cause: CloseCause,
  nowMs: number,
): Promise<CloseStart> {
  const now = new Date(nowMs);
  return withProducts(context, outTradeNo, async (tx): Promise<CloseStart> => {
    const order = await lockOrder(tx, outTradeNo);
    if (!order || !canBePaid(order.status)) return { kind: 'decided' };
    const isReported = cause === 'closed_at_wechat';
    if (!isReported && !(await mayExistAtWechat(tx, outTradeNo))) {
      await closeLocked(context, tx, order, { cause, now });
      return { kind: 'decided' };
    }
    const isPaused = await hasUnclearMoney(tx, outTradeNo);
    await tx.order.updateMany({
      where: { outTradeNo },
      data: {
        ...(isReported ? {} : { closeRequestedAt: order.closeRequestedAt ?? now }),
        dueAt: new Date(nowMs + 4 * DUE_GRACE_MS),
      },
    });
    if (isPaused) return { kind: 'paused' };
    const { _max } = await tx.providerAttempt.aggregate({
      where: { outTradeNo, operation: 'prepay' },
      _max: { deadlineAt: true },
    });
    return {
      kind: 'query_wechat',
      merchantId: order.merchantId,
      appId: order.appId,
      absentMeansClosedAtMs: Math.max(
        Date.parse(order.timeExpire),
        _max.deadlineAt?.getTime() ?? 0,
      ),
    };
  });
}

/** While such an intervention is open, the order is neither queried nor closed. */
async function hasUnclearMoney(tx: Tx, outTradeNo: string): Promise<boolean> {
  const reasons = [...PAUSING_REASONS];
  const open = { outTradeNo, status: 'open', reason: { in: reasons } };
  return (await tx.intervention.count({ where: open })) > 0;
}

async function startCloseAttempt(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  timeoutMs: number,
  nowMs: number,
): Promise<string> {
  const id = uuidv7();
  await prisma.providerAttempt.createMany({
    data: [
      {
        id,
        outTradeNo,
        operation: 'close',
        sentAt: new Date(nowMs),
        deadlineAt: new Date(nowMs + timeoutMs),
      },
    ],
  });
  return id;
}

function finishClose(
  context: DatabaseContext,
  outTradeNo: string,
  cause: CloseCause,
  nowMs: number,
): Promise<RunView | null> {
  return withProducts(context, outTradeNo, async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    if (order && canBePaid(order.status)) {
      await closeLocked(context, tx, order, { cause, now: new Date(nowMs) });
    }
    return readRunView(tx, outTradeNo);
  });
}
