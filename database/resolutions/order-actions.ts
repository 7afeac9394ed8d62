import { canBePaid } from '../../domain/orders/order-state';
import { DUE_GRACE_MS } from '../core/due-times';
import { NO_FAILURE } from '../fulfilment/cancel-effects';
import { fulfilIfDone } from '../fulfilment/run-effects';
import { releaseStock } from '../fulfilment/reserve-stock';
import { resetBudgets } from '../retries/spend-retry-budgets';
import { DONE, type ResolutionScope, type Outcome } from './resolution-scope';
import { currentOrder } from '../core/scope';

/** `retry` of an effect: its budget starts again, and the run does it. */
export async function retryEffect({
  scope,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  await scope.tx.orderEffect.updateMany({
    where: { outTradeNo: scope.outTradeNo, effect: question.subject, status: 'failed' },
    data: { status: 'pending', spent: false, attempts: 0, ...NO_FAILURE },
  });
  return DONE;
}

/** `skip` of an effect: the order is fulfilled without it. */
export async function skipEffect({
  scope,
  context,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now } = scope;
  const { count } = await tx.orderEffect.updateMany({
    where: { outTradeNo, effect: question.subject, status: 'failed' },
    data: { status: 'skipped' },
  });
  // Stock that is not taken is not held either.
  const order = await currentOrder(scope);
  if (order && count > 0 && question.subject === 'stock') await releaseStock(tx, order);
  if (order) await fulfilIfDone(context, tx, order, now);
  scope.changed = true;
  return DONE;
}

/** `retry` of what WeChat refused: the refusal is forgotten, and the run asks again. */
export async function retryAtWechat({
  scope,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now, order } = scope;
  await resetBudgets(tx, outTradeNo, `wechat.${question.subject}`);
  if (!order || !canBePaid(order.status)) return DONE;
  const refusal = { refusalCode: null, refusalWechatCode: null, refusalMessage: null };
  await tx.order.updateMany({
    where: { outTradeNo },
    data: {
      ...(question.subject === 'prepay' ? refusal : {}),
      ...(question.subject === 'query' ? { nextQueryAt: now } : {}),
      dueAt: new Date(now.getTime() + DUE_GRACE_MS),
    },
  });
  return DONE;
}

/** `close`: the order is given up, here and at WeChat. */
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

/** A subject like `webhook:<id>` or `notice:<id>`; one without a colon is all kind. */
function split(subject: string): { kind: string; id: string } {
  const [kind = '', ...id] = subject.split(':');
  return { kind, id: id.join(':') };
}

/** `retry` of what could not be delivered: a webhook, a message, or a notice to its run. */
export async function deliverAgain({
  scope,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now } = scope;
  const { kind, id } = split(question.subject);
  if (kind === 'notice') {
    await tx.inboxNotification.updateMany({
      where: { id, outTradeNo, resourceEncrypted: { not: null } },
      data: {
        verdict: null,
        verdictAt: null,
        undeliverableAt: null,
        attempts: 0,
        nextAttemptAt: now,
      },
    });
  } else {
    await tx.delivery.updateMany({
      where: { id, kind, outTradeNo, status: 'failed' },
      data: { status: 'pending', attempts: 0, nextAttemptAt: now },
    });
  }
  return DONE;
}

/** `dismiss` of what could not be delivered: nobody is told any more. */
export async function leaveUndelivered({
  scope,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  const { kind, id } = split(question.subject);
  if (kind === 'notice') {
    await scope.tx.inboxNotification.updateMany({
      where: { id, outTradeNo: scope.outTradeNo, verdict: null },
      data: { verdict: 'ignored', verdictAt: scope.now },
    });
  }
  return DONE;
}

/** `retry` of what is stuck: budgets start again; who is told starts the run anew. */
export async function unstick({
  scope,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  const { tx, outTradeNo, now } = scope;
  const { kind, id } = split(question.subject);
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
    const failed = { id, outTradeNo, status: 'pending' };
    await tx.delivery.updateMany({ where: failed, data: { nextAttemptAt: now, wokenAt: null } });
  }
  await resetBudgets(tx, outTradeNo);
  await tx.order.updateMany({ where: { outTradeNo, dueAt: { not: null } }, data: { dueAt: now } });
  return DONE;
}

/** `dismiss`, and whatever ends a question without changing anything else. */
export function endOnly(): Promise<Outcome> {
  return Promise.resolve(DONE);
}
