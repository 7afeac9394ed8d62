import { v7 as uuidv7 } from 'uuid';
import { effectsFor } from '../../domain/fulfilment/effects';
import type { InterventionReason } from '../../domain/interventions/reasons';
import { decidePayment, type PaymentDecision } from '../../domain/payments/payment-decision';
import type { PaymentNotice } from '../../domain/payments/notices';
import { refundNumberOf } from '../../domain/refunds/refund-number';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { addDeliveries } from '../outbound/write-deliveries';
import { endInterventions } from '../interventions/open-intervention';
import { openPaymentIntervention } from './open-payment-intervention';
import type { InboxRow, Scope, Verdict } from '../core/scope';
import { applyReportedRefunds } from '../refunds/apply-refund-notice';
import { holdRefund } from '../refunds/hold-refund';
import { latePaymentPolicy } from '../settings/runtime-settings';
import { addUnfreezeAtDeadline } from '../sharing/unfreeze-rest';
import { changeStatus, type LockedOrder } from '../core/order-row';

/**
 * Books one payment that WeChat told of, under the order's lock: the transaction's row (P11), the
 * order's change when it fits, its way back or a question for a person when it does not.
 */
export async function applyPayment(
  context: DatabaseContext,
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
): Promise<Verdict> {
  const { order } = scope;
  const decision = decidePayment(order && expected(order), notice);
  if (decision.kind === 'ignored' || decision.kind === 'already_applied') return decision.kind;
  const transactionId = notice.transactionId ?? `missing:${row.id}`;
  const status = decision.kind === 'applied' ? 'applied' : decision.transactionStatus;
  const key = await addTransaction(scope, notice, transactionId, status);
  if (key === null) return knownBefore(context, scope, notice, row, decision);
  if (decision.kind === 'applied') {
    await pay(context, scope, { notice, row, decision, key });
    return 'applied';
  }
  if (decision.transactionStatus === 'surplus' && notice.tradeState === 'SUCCESS') {
    await applyReportedRefunds(context, scope, notice.transactionId);
    const returned = await giveBack(context, scope, key, notice, 'surplus_payment');
    if (returned || (await isGivenBack(scope, key))) return 'conflict';
  }
  await openPaymentIntervention(scope, row, notice, decision);
  await applyReportedRefunds(context, scope, notice.transactionId);
  return 'conflict';
}

type Decision = PaymentDecision & { kind: 'applied' | 'conflict' };

/**
 * WeChat told of this transaction before: with the same content it is nothing new (S7). Asked again on a
 * person's word, a transaction that did not match is judged anew.
 */
async function knownBefore(
  context: DatabaseContext,
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
  decision: Decision,
): Promise<Verdict> {
  const transactionId = notice.transactionId ?? '';
  const known = await scope.tx.paymentTransaction.findFirst({
    where: { provider: 'wechatpay', merchantId: notice.merchantId ?? '', transactionId },
    select: {
      id: true,
      status: true,
      outTradeNo: true,
      totalFen: true,
      currency: true,
      appId: true,
      heldFen: true,
    },
  });
  const same =
    known?.outTradeNo === scope.outTradeNo &&
    known.totalFen === notice.totalFen &&
    known.currency === notice.currency &&
    known.appId === notice.appId;
  const open = known?.status === 'rejected' && known.heldFen === 0 && row.source === 'query';
  if (open && decision.kind === 'applied' && known.outTradeNo === scope.outTradeNo) {
    const { totalFen, currency, appId } = notice;
    await scope.tx.paymentTransaction.updateMany({
      where: { id: known.id, status: 'rejected' },
      data: { status: 'applied', totalFen, currency, appId },
    });
    await endInterventions(
      scope.tx,
      scope.outTradeNo,
      ['amount_mismatch'],
      scope.now,
      transactionId,
    );
    await pay(context, scope, { notice, row, decision, key: known.id });
    return 'applied';
  }
  if (same && !(open && decision.kind === 'conflict')) return 'already_applied';
  await openPaymentIntervention(scope, row, notice, {
    reason: reasonOf(scope, decision),
    mismatches: decision.kind === 'conflict' ? decision.mismatches : [],
  });
  return 'conflict';
}

/** Another merchant's money stays that, whoever tells of it: it can never be accepted. */
function reasonOf({ order }: Scope, decision: Decision): InterventionReason {
  if (order === null) return 'unknown_order';
  const kept: readonly InterventionReason[] = ['identity_mismatch', 'reconciliation'];
  return decision.kind === 'conflict' && kept.includes(decision.reason)
    ? decision.reason
    : 'amount_mismatch';
}

/** Reserves the way back of a whole transaction. @returns false when there is nothing to give back */
async function giveBack(
  { notifyUrl }: DatabaseContext,
  scope: Scope,
  transactionKey: string,
  notice: PaymentNotice,
  origin: 'late_payment' | 'surplus_payment',
): Promise<boolean> {
  const { tx, outTradeNo, now } = scope;
  if (notice.transactionId === null) return false;
  const outRefundNo = refundNumberOf(notice.transactionId);
  const reserved = await holdRefund(tx, {
    outRefundNo,
    outTradeNo,
    transactionKey,
    origin,
    amountFen: null,
    notifyUrl,
    replaces: null,
    now,
  });
  if (reserved === 'nothing_left') return false;
  scope.refunds.add(outRefundNo);
  return true;
}

function expected(order: LockedOrder) {
  return {
    status: order.status,
    totalFen: order.total_fen,
    currency: order.currency,
    appId: order.app_id,
    merchantId: order.merchant_id,
    appliedTransactionId: order.applied_transaction_id,
  };
}

/** Books the transaction. @returns the key of its row; null when it has one already */
async function addTransaction(
  { tx, outTradeNo, order, now }: Scope,
  notice: PaymentNotice,
  transactionId: string,
  status: 'applied' | 'rejected' | 'surplus',
): Promise<string | null> {
  const key = uuidv7();
  const successMs = notice.successTime === null ? Number.NaN : Date.parse(notice.successTime);
  const added = await tx.$executeRaw`
    INSERT INTO payment_transactions (id, provider, merchant_id, transaction_id, out_trade_no, order_no,
      status, trade_state, trade_type, app_id, total_fen, payer_total_fen, currency, success_time,
      created_at)
    VALUES (${key}::uuid, 'wechatpay', ${notice.merchantId ?? ''}, ${transactionId}, ${outTradeNo},
      ${order ? outTradeNo : null}, ${status}, ${notice.tradeState}, ${notice.tradeType},
      ${notice.appId}, ${notice.totalFen}, ${notice.payerTotalFen}, ${notice.currency},
      ${Number.isNaN(successMs) ? null : new Date(successMs)}, ${now})
    ON CONFLICT (provider, merchant_id, transaction_id) DO NOTHING`;
  return added === 1 ? key : null;
}

/** Moves the order, and writes what follows from its payment: effects, what must be told, or its way back. */
async function pay(
  context: DatabaseContext,
  scope: Scope,
  payment: {
    notice: PaymentNotice;
    row: InboxRow;
    decision: PaymentDecision & { kind: 'applied' };
    key: string;
  },
): Promise<void> {
  const { tx, order } = scope;
  const { notice, row, decision, key } = payment;
  const { to, attention } = decision;
  if (!order) throw new Error('A payment was applied to no order');
  await becomePaid(context, scope, order, {
    to,
    cause: row.source === 'query' ? 'payment_found_by_query' : 'payment_notice',
    transactionId: notice.transactionId,
  });
  const { transactionId } = notice;
  if (attention === null) return applyReportedRefunds(context, scope, transactionId);
  if (attention === 'late_payment' && (await latePaymentPolicy(tx)) === 'refund') {
    await applyReportedRefunds(context, scope, transactionId);
    if (await giveBack(context, scope, key, notice, 'late_payment')) return;
    if (await isGivenBack(scope, key)) return;
  }
  // Where a refund that was told explains it, that ends the question.
  await openPaymentIntervention(scope, row, notice, { reason: attention, mismatches: [] });
  await applyReportedRefunds(context, scope, transactionId);
}

/** True when all of a payment is on its way back, or there. */
async function isGivenBack({ tx }: Scope, key: string): Promise<boolean> {
  const paid = await tx.paymentTransaction.findUniqueOrThrow({
    where: { id: key },
    select: { totalFen: true, heldFen: true },
  });
  return paid.heldFen > 0 && paid.heldFen >= (paid.totalFen ?? 0);
}

/** The order's move, with its effects and what must be told (P7). */
export async function becomePaid(
  context: DatabaseContext,
  scope: Scope,
  order: LockedOrder,
  step: {
    to: 'paid' | 'paid_late';
    cause: string;
    transactionId: string | null;
    event?: 'paid' | 'late_payment_accepted';
  },
): Promise<void> {
  const { tx, outTradeNo, now } = scope;
  const { to, cause, transactionId } = step;
  const change = await changeStatus(tx, {
    outTradeNo,
    status: order.status,
    event: step.event ?? 'paid',
    cause,
    now,
    dueAt: new Date(now.getTime() + SETTLE_GRACE_MS),
  });
  if (change.kind !== 'moved' || change.to !== to) {
    throw new Error(`Order ${outTradeNo} can't become ${to} from ${order.status}`);
  }
  scope.changed = true;
  if (order.in_question) await endInterventions(tx, outTradeNo, ['wechat_failed'], now);
  if (to === 'paid') {
    await addEffects(tx, outTradeNo);
    await addUnfreezeAtDeadline(context, tx, order, now);
  }
  const event = to === 'paid' ? 'order.paid' : 'order.paid_late';
  await addDeliveries(context, tx, order, { event, status: to, transactionId, now });
}

/** The ledger's rows: one per effect that applies. */
async function addEffects(tx: Tx, outTradeNo: string): Promise<void> {
  const [facts] = await tx.$queryRaw<{ reserved: boolean; pooled: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM stock_reservations WHERE out_trade_no = ${outTradeNo}) AS reserved,
      EXISTS (SELECT 1 FROM order_items
        WHERE out_trade_no = ${outTradeNo} AND pooled) AS pooled`;
  const effects = effectsFor({
    hasReservations: facts?.reserved ?? false,
    hasPooledGoods: facts?.pooled ?? false,
  });
  await tx.orderEffect.createMany({
    data: effects.map((effect) => ({ outTradeNo, effect })),
    skipDuplicates: true,
  });
}
