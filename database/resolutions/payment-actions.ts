// Actions on payments: refund one, accept one that did not match or came late, query WeChat again.
import { fen, type Fen } from '../../domain/money';
import { canBePaid } from '../../domain/orders/order-state';
import { refundNumberOf, replacementNumber } from '../../domain/refunds/refund-number';
import { currentOrder } from '../core/scope';
import { reserveStockAgain } from '../fulfilment/reserve-stock';
import { closeLocked } from '../orders/close-locked-order';
import { markOrderPaid } from '../payments/mark-order-paid';
import { holdRefund } from '../refunds/hold-refund';
import { REFUND_LIMIT_TEXTS, refundLimit } from '../refunds/refund-limits';
import { DONE, refused, type ResolutionScope, type Outcome } from './resolution-scope';

interface Payment {
  readonly id: string;
  readonly transactionId: string;
  readonly status: string;
  readonly totalFen: Fen | null;
  readonly heldFen: Fen;
}

const NO_PAYMENT = 'Oncepay has no record of this payment: check it on the merchant platform';
const BEING_REFUNDED = 'This payment is being refunded, so it cannot be accepted';

const PAYMENT = {
  id: true,
  transactionId: true,
  status: true,
  totalFen: true,
  heldFen: true,
} as const;

type PaymentRow = Omit<Payment, 'totalFen' | 'heldFen'> & {
  readonly totalFen: number | null;
  readonly heldFen: number;
};

const toPayment = (row: PaymentRow | null): Payment | null =>
  row && {
    ...row,
    totalFen: row.totalFen === null ? null : fen(row.totalFen),
    heldFen: fen(row.heldFen),
  };

/** The number's transaction with this id. */
async function paymentOf(
  { scope }: ResolutionScope,
  transactionId: string,
): Promise<Payment | null> {
  const where = { outTradeNo: scope.outTradeNo, transactionId };
  return toPayment(await scope.tx.paymentTransaction.findFirst({ where, select: PAYMENT }));
}

/** The transaction that is the intervention's subject. */
const paymentNamed = (resolution: ResolutionScope): Promise<Payment | null> =>
  paymentOf(resolution, resolution.intervention.subject);

/** The transaction that paid the order. */
async function appliedPayment({ scope }: ResolutionScope): Promise<Payment | null> {
  const where = { orderNo: scope.outTradeNo, status: 'applied' };
  return toPayment(await scope.tx.paymentTransaction.findFirst({ where, select: PAYMENT }));
}

/** Holds a refund of all that is left of a payment, under a number made from its transaction. */
async function refundRest(resolution: ResolutionScope, payment: Payment | null): Promise<Outcome> {
  const { scope, context } = resolution;
  if (!payment) return refused('NOTHING_TO_REFUND', NO_PAYMENT);
  const leftFen = (payment.totalFen ?? 0) - payment.heldFen;
  const limit = leftFen > 0 ? await refundLimit(scope.tx, payment.id, scope.now) : null;
  if (limit !== null) return refused('REFUND_LIMIT', REFUND_LIMIT_TEXTS[limit]);
  const outRefundNo = await nextNumber(resolution, payment);
  const hold = await holdRefund(scope.tx, {
    outRefundNo,
    outTradeNo: scope.outTradeNo,
    transactionKey: payment.id,
    origin: 'resolution',
    amountFen: null,
    notifyUrl: context.notifyUrl,
    replaces: null,
    now: scope.now,
  });
  if (hold === 'nothing_left') {
    // A refund that Oncepay made itself, or that was made elsewhere, is what the operator wants.
    const other = { transactionKey: payment.id, origin: { not: 'api' } };
    const live = await scope.tx.refund.count({ where: { ...other, status: { not: 'closed' } } });
    if (live > 0) return DONE;
    return refused('NOTHING_TO_REFUND', 'Refunds hold all of this payment already');
  }
  scope.refunds.add(outRefundNo);
  scope.changed = true;
  return DONE;
}

/** The first number made from the transaction that no refund has yet. */
async function nextNumber({ scope }: ResolutionScope, payment: Payment): Promise<string> {
  let outRefundNo = refundNumberOf(payment.transactionId);
  while ((await scope.tx.refund.count({ where: { outRefundNo } })) > 0) {
    outRefundNo = replacementNumber(outRefundNo);
  }
  return outRefundNo;
}

/** `refund` of a payment that did not match; closes the order: WeChat takes no second payment. */
export async function refundMismatch(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, context } = resolution;
  const outcome = await refundRest(resolution, await paymentNamed(resolution));
  const order = await currentOrder(scope);
  if (outcome.kind === 'done' && order && canBePaid(order.status)) {
    await closeLocked(context, scope.tx, order, { cause: 'mismatch_refunded', now: scope.now });
    scope.changed = true;
  }
  return outcome;
}

/** `refund` of the payment that is the intervention's subject. */
export async function refundNamed(resolution: ResolutionScope): Promise<Outcome> {
  return refundRest(resolution, await paymentNamed(resolution));
}

/** `refund` of all that is left of the order's payment. */
export async function refundApplied(resolution: ResolutionScope): Promise<Outcome> {
  return refundRest(resolution, await appliedPayment(resolution));
}

/** `refund` where the subject is a transaction, or a refund that was made elsewhere. */
export async function refundDisputedPayment(resolution: ResolutionScope): Promise<Outcome> {
  return refundRest(resolution, await disputedPayment(resolution));
}

/** The payment that the subject, a refund of it, or the evidence names; never another one. */
export async function disputedPayment(resolution: ResolutionScope): Promise<Payment | null> {
  const { scope, intervention } = resolution;
  // The subject of an invariant has its kind before the transaction.
  const { subject } = intervention;
  const transaction = subject.slice(subject.indexOf(':') + 1);
  const named = await paymentOf(resolution, transaction);
  if (named) return named;
  const refund = await scope.tx.refund.findFirst({
    where: { outRefundNo: intervention.subject, outTradeNo: scope.outTradeNo },
    select: { transactionId: true },
  });
  const evidence = intervention.evidence as { transaction_id?: unknown } | null;
  const reported = evidence?.transaction_id;
  const transactionId = refund?.transactionId ?? (typeof reported === 'string' ? reported : null);
  return transactionId === null ? null : paymentOf(resolution, transactionId);
}

/** `accept` of a payment that did not match: it pays the order with its amount as it is. */
export async function acceptMismatch(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, context } = resolution;
  const payment = await paymentNamed(resolution);
  const { order } = scope;
  if (!order || !payment) return refused('NOT_FOUND', NO_PAYMENT);
  if (payment.status === 'applied') return DONE;
  if (order.appliedTransactionId !== null) {
    return refused('ORDER_ALREADY_PAID', 'Another payment paid this order: refund this one');
  }
  if (payment.heldFen > 0) return refused('REFUND_RESERVED', BEING_REFUNDED);
  if (payment.totalFen === null || payment.totalFen === 0) {
    return refused('NOTHING_TO_REFUND', 'WeChat reported no amount for this payment');
  }
  const { transactionId } = payment;
  await scope.tx.paymentTransaction.updateMany({
    where: { id: payment.id, status: 'rejected' },
    data: { status: 'applied' },
  });
  const cause = 'mismatch_accepted';
  if (canBePaid(order.status)) {
    await markOrderPaid(context, scope, order, { to: 'paid', cause, transactionId });
    return DONE;
  }
  if (order.status !== 'closed') return refused('ORDER_NOT_PAYABLE', isInStatus(order.status));
  await markOrderPaid(context, scope, order, { to: 'paid_late', cause, transactionId });
  return acceptLate(resolution);
}

const isInStatus = (status: string): string =>
  `The order is ${status}: this payment can't pay it any more`;

/** `accept` of money that came after the close: reserves the stock again, and the effects run. */
export async function acceptLate(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, context } = resolution;
  const order = await currentOrder(scope);
  const payment = await appliedPayment(resolution);
  if (!order || !payment) return refused('NOT_FOUND', NO_PAYMENT);
  if (payment.heldFen > 0) return refused('REFUND_RESERVED', BEING_REFUNDED);
  if (order.status !== 'paid_late') return refused('ORDER_NOT_PAYABLE', isInStatus(order.status));
  if (!(await reserveStockAgain(scope.tx, order))) {
    const detail = 'The close released the stock, and too little is left: refund, or restock first';
    return refused('OUT_OF_STOCK', detail);
  }
  await markOrderPaid(context, scope, order, {
    to: 'paid',
    event: 'late_payment_accepted',
    cause: 'late_payment_accepted',
    transactionId: payment.transactionId,
  });
  return DONE;
}

/**
 * `retry` of a payment that did not match: the order's run queries WeChat now, also while it closes
 * the order.
 */
export async function queryAgain({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  // Oncepay queries only orders that can be paid: on others this would just hide the money.
  if (!scope.order || !canBePaid(scope.order.status)) {
    const detail = 'This order can no longer be paid, so WeChat is not queried: refund the payment';
    return refused('ORDER_NOT_PAYABLE', detail);
  }
  await scope.tx.order.updateMany({
    where: { outTradeNo: scope.outTradeNo, status: { in: ['created', 'awaiting_payment'] } },
    data: { nextQueryAt: scope.now },
  });
  const { notification_id: notificationId } = (intervention.evidence ?? {}) as {
    readonly notification_id?: unknown;
  };
  if (typeof notificationId !== 'string') return DONE;
  await scope.tx.inboxNotification.updateMany({
    where: { outTradeNo: scope.outTradeNo, notificationId, kind: 'payment' },
    data: { queryRequestedAt: scope.now, queriedAt: null, queryFound: false },
  });
  scope.changed = true;
  return DONE;
}
