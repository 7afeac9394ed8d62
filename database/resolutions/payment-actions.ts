import { canBePaid } from '../../domain/orders/order-state';
import { refundNumberOf, replacementNumber } from '../../domain/refunds/refund-number';
import { isSettled } from '../../domain/refunds/refund-state';
import { closeLocked } from '../orders/close-locked-order';
import { becomePaid } from '../payments/apply-payment';
import { REFUND_LIMIT_TEXTS, refundLimit } from '../refunds/check-refund-limit';
import { freeRefundHold, holdRefund } from '../refunds/hold-refund';
import { lockRefund } from '../refunds/lock-refund';
import { watchAbnormal } from '../refunds/watch-abnormal-refund';
import { reserveAgain } from '../fulfilment/stock-reservations';
import { resetBudgets } from '../retries/retry-budgets';
import { DONE, refused, type ResolutionScope, type Outcome } from './resolution-scope';
import { currentOrder } from '../core/scope';

interface Payment {
  readonly id: string;
  readonly transactionId: string;
  readonly status: string;
  readonly totalFen: number | null;
  readonly heldFen: number;
}

const PAYMENT = {
  id: true,
  transactionId: true,
  status: true,
  totalFen: true,
  heldFen: true,
} as const;

/** The transaction that a question is about, by its own number. */
function paymentNamed({ scope, intervention: question }: ResolutionScope): Promise<Payment | null> {
  return scope.tx.paymentTransaction.findFirst({
    where: { outTradeNo: scope.outTradeNo, transactionId: question.subject },
    select: PAYMENT,
  });
}

/** The transaction that paid the order. */
function appliedPayment({ scope }: ResolutionScope): Promise<Payment | null> {
  return scope.tx.paymentTransaction.findFirst({
    where: { orderNo: scope.outTradeNo, status: 'applied' },
    select: PAYMENT,
  });
}

/** Sends back all that is left of a transaction, under the number that this transaction always has. */
async function giveBack(answering: ResolutionScope, payment: Payment | null): Promise<Outcome> {
  const { scope, context } = answering;
  if (!payment) return refused('NOTHING_TO_REFUND', 'There is no such payment in the books');
  const left = (payment.totalFen ?? 0) - payment.heldFen;
  const limit = left > 0 ? await refundLimit(scope.tx, payment.id, scope.now) : null;
  if (limit !== null) return refused('REFUND_LIMIT', REFUND_LIMIT_TEXTS[limit]);
  const outRefundNo = await nextNumber(answering, payment);
  const reserved = await holdRefund(scope.tx, {
    outRefundNo,
    outTradeNo: scope.outTradeNo,
    transactionKey: payment.id,
    origin: 'resolution',
    amountFen: null,
    notifyUrl: context.notifyUrl,
    replaces: null,
    now: scope.now,
  });
  if (reserved === 'nothing_left') {
    // Where it is on its way back, by us or made elsewhere, that is the answer.
    const other = { transactionKey: payment.id, origin: { not: 'api' } };
    const live = await scope.tx.refund.count({ where: { ...other, status: { not: 'closed' } } });
    if (live > 0) return DONE;
    return refused('NOTHING_TO_REFUND', 'All of this payment is on its way back already');
  }
  scope.refunds.add(outRefundNo);
  scope.changed = true;
  return DONE;
}

/** The first number made from the payment that no refund has: one that lives holds its money already. */
async function nextNumber({ scope }: ResolutionScope, payment: Payment): Promise<string> {
  let outRefundNo = refundNumberOf(payment.transactionId);
  while ((await scope.tx.refund.count({ where: { outRefundNo } })) > 0) {
    outRefundNo = replacementNumber(outRefundNo);
  }
  return outRefundNo;
}

/** `refund` of a payment that did not match: nobody else can pay the number at WeChat, so it closes here. */
export async function refundMismatch(answering: ResolutionScope): Promise<Outcome> {
  const { scope, context } = answering;
  const outcome = await giveBack(answering, await paymentNamed(answering));
  const order = await currentOrder(scope);
  if (outcome.kind === 'done' && order && canBePaid(order.status)) {
    await closeLocked(context, scope.tx, order, 'mismatch_refunded', scope.now);
    scope.changed = true;
  }
  return outcome;
}

export async function refundNamed(answering: ResolutionScope): Promise<Outcome> {
  return giveBack(answering, await paymentNamed(answering));
}

/** `refund` of what paid the order, whatever of it is left. */
export async function refundApplied(answering: ResolutionScope): Promise<Outcome> {
  return giveBack(answering, await appliedPayment(answering));
}

/** `refund` where the question names a transaction, or a refund that somebody else made. */
export async function refundDisputedPayment(answering: ResolutionScope): Promise<Outcome> {
  return giveBack(answering, await disputedPayment(answering));
}

/** The one payment in question: named itself, by a refund of it, or in the evidence. Never another one. */
async function disputedPayment(answering: ResolutionScope): Promise<Payment | null> {
  const { scope, intervention: question } = answering;
  const named = await paymentNamed(answering);
  if (named) return named;
  const refund = await scope.tx.refund.findFirst({
    where: { outRefundNo: question.subject, outTradeNo: scope.outTradeNo },
    select: { transactionId: true },
  });
  const told = (question.evidence as { transaction_id?: unknown } | null)?.transaction_id;
  const transactionId = refund?.transactionId ?? (typeof told === 'string' ? told : null);
  if (transactionId === null) return null;
  return paymentNamed({ ...answering, intervention: { ...question, subject: transactionId } });
}

/** `accept` of a payment that did not match: it becomes the payment, as it is. */
export async function acceptMismatch(answering: ResolutionScope): Promise<Outcome> {
  const { scope, context } = answering;
  const payment = await paymentNamed(answering);
  const { order } = scope;
  if (!order || !payment) return refused('NOT_FOUND', 'There is no such payment in the books');
  if (payment.status === 'applied') return DONE;
  if (order.applied_transaction_id !== null) {
    return refused('ORDER_ALREADY_PAID', 'Another payment has paid the order');
  }
  if (payment.heldFen > 0) return refused('REFUND_RESERVED', 'This payment is on its way back');
  if (payment.totalFen === null || payment.totalFen === 0) {
    return refused('NOTHING_TO_REFUND', 'WeChat has told no amount of this payment');
  }
  const { transactionId } = payment;
  await scope.tx.paymentTransaction.updateMany({
    where: { id: payment.id, status: 'rejected' },
    data: { status: 'applied' },
  });
  const cause = 'mismatch_accepted';
  if (canBePaid(order.status)) {
    await becomePaid(context, scope, order, { to: 'paid', cause, transactionId });
    return DONE;
  }
  if (order.status !== 'closed') return refused('ORDER_NOT_PAYABLE', `It is ${order.status}`);
  await becomePaid(context, scope, order, { to: 'paid_late', cause, transactionId });
  return acceptLate(answering);
}

/** `accept` of money that came after the close: the stock is reserved anew, the effects run. */
export async function acceptLate(answering: ResolutionScope): Promise<Outcome> {
  const { scope, context } = answering;
  const order = await currentOrder(scope);
  const payment = await appliedPayment(answering);
  if (!order || !payment) return refused('NOT_FOUND', 'There is no such payment in the books');
  if (payment.heldFen > 0) return refused('REFUND_RESERVED', 'This payment is on its way back');
  if (order.status !== 'paid_late') {
    return refused('ORDER_NOT_PAYABLE', `The order is ${order.status}`);
  }
  if (!(await reserveAgain(scope.tx, scope.outTradeNo))) {
    return refused('OUT_OF_STOCK', 'The stock was given back with the close and is not there now');
  }
  await becomePaid(context, scope, order, {
    to: 'paid',
    event: 'late_payment_accepted',
    cause: 'late_payment_accepted',
    transactionId: payment.transactionId,
  });
  return DONE;
}

/** `retry` of a payment that did not match: WeChat is asked as soon as the order's query looks at its row. */
export async function queryAgain({ scope }: ResolutionScope): Promise<Outcome> {
  // Nobody asks WeChat about an order that can't be paid: the money must not get out of sight.
  if (!scope.order || !canBePaid(scope.order.status)) {
    return refused('ORDER_NOT_PAYABLE', 'WeChat is asked no more about this order: refund it');
  }
  await scope.tx.order.updateMany({
    where: { outTradeNo: scope.outTradeNo, status: { in: ['created', 'awaiting_payment'] } },
    data: { nextQueryAt: scope.now },
  });
  return DONE;
}

/** The number of the refund that a question is about; a second payment may be named by its own number. */
async function refundNoOf({
  scope,
  intervention: question,
}: ResolutionScope): Promise<string | null> {
  const { subject } = question;
  const found = await scope.tx.refund.findFirst({
    where: {
      outTradeNo: scope.outTradeNo,
      OR: [{ outRefundNo: subject }, { transactionId: subject, origin: { not: 'external' } }],
    },
    select: { outRefundNo: true },
    orderBy: { createdAt: 'desc' },
  });
  return found?.outRefundNo ?? null;
}

/** `retry`: the same number again, with a new budget. */
export async function retryRefund(answering: ResolutionScope): Promise<Outcome> {
  const { scope } = answering;
  const outRefundNo = await refundNoOf(answering);
  if (outRefundNo === null) return refundNamed(answering);
  await resetBudgets(scope.tx, outRefundNo);
  await scope.tx.refund.updateMany({
    where: { outRefundNo, status: { in: ['pending', 'processing', 'abnormal'] } },
    data: { dueAt: scope.now, nextQueryAt: scope.now },
  });
  scope.refunds.add(outRefundNo);
  return DONE;
}

/** `dismiss` of a refund that failed: it is given up, unless WeChat may have it. */
export async function abandonRefund(answering: ResolutionScope): Promise<Outcome> {
  const { scope } = answering;
  const outRefundNo = await refundNoOf(answering);
  const refund = outRefundNo === null ? null : await lockRefund(scope.tx, outRefundNo);
  if (!refund || isSettled(refund.status)) return DONE;
  const maybeThere = await scope.tx.refundAttempt.count({
    where: {
      outRefundNo: refund.outRefundNo,
      OR: [{ outcome: null }, { outcome: { in: ['unknown', 'accepted'] } }],
    },
  });
  if (maybeThere > 0 || refund.status !== 'pending') {
    return refused('REFUND_RESERVED', 'WeChat may have this refund: retry it, it keeps its number');
  }
  await scope.tx.refund.updateMany({
    where: { outRefundNo: refund.outRefundNo, status: 'pending' },
    data: { status: 'closed', closedAt: scope.now, dueAt: null, nextQueryAt: null },
  });
  await freeRefundHold(scope, refund);
  scope.changed = true;
  return DONE;
}

/** `new_number` in place of a refund that WeChat has closed: by a person alone, and once. */
export async function replaceRefund(answering: ResolutionScope): Promise<Outcome> {
  const { scope, context, intervention: question } = answering;
  const old = await lockRefund(scope.tx, question.subject);
  if (!old) return refused('NOT_FOUND', 'There is no such refund');
  if (old.status !== 'closed') return refused('REFUND_RESERVED', `The refund is ${old.status}`);
  const outRefundNo = await numberInPlaceOf(answering, old.outRefundNo);
  if (outRefundNo === null) return DONE;
  const limit = await refundLimit(scope.tx, old.transactionKey, scope.now);
  if (limit !== null) return refused('REFUND_LIMIT', REFUND_LIMIT_TEXTS[limit]);
  const reserved = await holdRefund(scope.tx, {
    outRefundNo,
    outTradeNo: scope.outTradeNo,
    transactionKey: old.transactionKey,
    origin: 'resolution',
    amountFen: old.amountFen,
    notifyUrl: context.notifyUrl,
    replaces: old.outRefundNo,
    reason: old.reason,
    restock: old.restock,
    revokeCodes: old.revokeCodes,
    now: scope.now,
  });
  if (reserved === 'nothing_left') {
    return refused('NOTHING_TO_REFUND', 'Less than this is left of the payment');
  }
  scope.refunds.add(outRefundNo);
  scope.changed = true;
  return DONE;
}

/**
 * The first number made from a closed one that no other refund has: a shop counts its refunds too, so the
 * next one may be another refund's. null: it was replaced before.
 */
async function numberInPlaceOf(
  { scope }: ResolutionScope,
  replaces: string,
): Promise<string | null> {
  const { refund } = scope.tx;
  if ((await refund.count({ where: { replaces } })) > 0) return null;
  let outRefundNo = replacementNumber(replaces);
  while ((await refund.count({ where: { outRefundNo } })) > 0) {
    outRefundNo = replacementNumber(outRefundNo);
  }
  return outRefundNo;
}

/** `dismiss` of an abnormal refund: a person handles it on the merchant platform. */
export async function leaveAbnormal({
  scope,
  intervention: question,
}: ResolutionScope): Promise<Outcome> {
  await watchAbnormal(scope, question.subject);
  return DONE;
}

/** `to_user`, `to_bank_card`: where WeChat shall send an abnormal refund; its run tells WeChat. */
export async function redirectRefund(
  answering: ResolutionScope,
  to: 'user_bank_card' | 'merchant_bank_card',
): Promise<Outcome> {
  const { scope, context, intervention: question, params } = answering;
  const refund = await lockRefund(scope.tx, question.subject);
  if (!refund) return refused('NOT_FOUND', 'There is no such refund');
  if (refund.status !== 'abnormal' || refund.refundId === null) {
    return refused('REFUND_RESERVED', `The refund is ${refund.status}`);
  }
  const place = { table: 'refunds', column: 'abnormal', row: refund.outRefundNo };
  await scope.tx.refund.updateMany({
    where: { outRefundNo: refund.outRefundNo },
    data: {
      abnormalEncrypted: context.cipher.encrypt(place, JSON.stringify({ ...params, to })),
      dueAt: scope.now,
    },
  });
  await resetBudgets(scope.tx, refund.outRefundNo);
  scope.refunds.add(refund.outRefundNo);
  return DONE;
}
