// Actions on orders: effects, failed steps at WeChat, outbound deliveries, notices and stuck runs.
import type { Prisma } from '../../generated/prisma/client';
import { parseSubject, WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import { canBePaid } from '../../domain/orders/order-state';
import { DUE_GRACE_MS } from '../core/due-times';
import { currentOrder, type Scope } from '../core/scope';
import { NO_FAILURE } from '../fulfilment/cancel-effects';
import { fulfilIfDone } from '../fulfilment/run-effects';
import { releaseStock } from '../fulfilment/reserve-stock';
import { resetBudgets } from '../retries/spend-retry-budgets';
import { DONE, type ResolutionScope, type Outcome } from './resolution-scope';

/** `retry` of an effect: its retry budget starts again, and the run carries it out. */
export async function retryEffect({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  await scope.tx.orderEffect.updateMany({
    where: { outTradeNo: scope.outTradeNo, effect: intervention.subject, status: 'failed' },
    data: { status: 'pending', spent: false, attempts: 0, ...NO_FAILURE },
  });
  return DONE;
}

/** `skip` of an effect: the order is fulfilled without it. */
export async function skipEffect({
  scope,
  context,
  intervention,
}: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now } = scope;
  const { subject: effect } = intervention;
  const { count } = await tx.orderEffect.updateMany({
    where: { outTradeNo, effect, status: 'failed' },
    data: { status: 'skipped' },
  });
  const order = await currentOrder(scope);
  // Stock that will not be taken must not stay reserved.
  if (order && count > 0 && effect === 'stock') await releaseStock(tx, order);
  if (order) await fulfilIfDone(context, tx, order, now);
  scope.changed = true;
  return DONE;
}

/** `retry` of a step that WeChat refused: clears the refusal, and the run takes the step again. */
export async function retryAtWechat({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now, order } = scope;
  const { subject } = intervention;
  await resetBudgets(tx, outTradeNo, `wechat.${subject}`);
  if (!order || !canBePaid(order.status)) return DONE;
  const refusal = { refusalCode: null, refusalWechatCode: null, refusalMessage: null };
  await tx.order.updateMany({
    where: { outTradeNo },
    data: {
      ...(subject === WECHAT_SUBJECTS.prepay ? refusal : {}),
      ...(subject === WECHAT_SUBJECTS.query ? { nextQueryAt: now } : {}),
      dueAt: new Date(now.getTime() + DUE_GRACE_MS),
    },
  });
  return DONE;
}

/** `close`: requests the order's close, here and at WeChat. */
export async function closeInstead({ scope }: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now, order } = scope;
  if (!order || !canBePaid(order.status)) return DONE;
  await resetBudgets(tx, outTradeNo, 'wechat.close');
  await tx.order.updateMany({
    where: { outTradeNo },
    data: {
      closeRequestedAt: order.closeRequestedAt ?? now,
      dueAt: new Date(now.getTime() + DUE_GRACE_MS),
    },
  });
  return DONE;
}

/** `retry` of a notice that no run took, or of an outbound delivery that failed. */
export async function deliverAgain({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now } = scope;
  const { kind, id } = parseSubject(intervention.subject);
  if (kind === 'notice') {
    await applyAgain(scope, id, { resourceEncrypted: { not: null } });
  } else if (kind !== null) {
    await tx.delivery.updateMany({
      where: { id, kind, outTradeNo, status: 'failed' },
      data: { status: 'pending', attempts: 0, nextAttemptAt: now },
    });
  }
  return DONE;
}

/**
 * `dismiss` of a notice: it is applied like any other, if it can be; one that can't be read or
 * booked is set aside, and WeChat is queried in its place. Of a failed delivery: leaves it failed.
 */
export async function leaveUndelivered({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  const { kind, id } = parseSubject(intervention.subject);
  if (kind !== 'notice') return DONE;
  await applyAgain(scope, id, { OR: [{ verdict: null }, { verdict: 'conflict' }] });
  // A query that ended before says nothing about now.
  await scope.tx.inboxNotification.updateMany({
    where: { id, outTradeNo: scope.outTradeNo, verdict: null },
    data: { queryRequestedAt: null, queriedAt: null, queryFound: false },
  });
  return DONE;
}

/** Takes the verdict of a notice back: the next application decides it anew. */
async function applyAgain(
  scope: Scope,
  id: string,
  condition: Prisma.InboxNotificationWhereInput,
): Promise<void> {
  const { tx, outTradeNo, now } = scope;
  const { count } = await tx.inboxNotification.updateMany({
    where: { id, outTradeNo, ...condition },
    data: {
      verdict: null,
      verdictAt: null,
      undeliverableAt: null,
      attempts: 0,
      nextAttemptAt: now,
    },
  });
  if (count > 0) scope.decideAgain = true;
}

/** `retry` of a stuck run: resets its retry budgets; its row is due, so a new run starts. */
export async function unstick({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now } = scope;
  const { kind, id } = parseSubject(intervention.subject);
  if (kind === 'refund') {
    await resetBudgets(tx, id);
    await tx.refund.updateMany({
      where: { outRefundNo: id, dueAt: { not: null } },
      data: { dueAt: now },
    });
    scope.refunds.add(id);
    return DONE;
  }
  if (kind === 'sharing') {
    await resetBudgets(tx, id);
    await tx.profitSharing.updateMany({
      where: { outOrderNo: id, dueAt: { not: null } },
      data: { dueAt: now },
    });
    scope.sharings.add(id);
    return DONE;
  }
  if (kind === 'delivery') {
    const overdue = { id, outTradeNo, status: 'pending' };
    await tx.delivery.updateMany({ where: overdue, data: { nextAttemptAt: now, wokenAt: null } });
  }
  await resetBudgets(tx, outTradeNo);
  await tx.order.updateMany({ where: { outTradeNo, dueAt: { not: null } }, data: { dueAt: now } });
  return DONE;
}

/** `dismiss`, and every action that ends an intervention without changing anything else. */
export function endOnly(): Promise<Outcome> {
  return Promise.resolve(DONE);
}
