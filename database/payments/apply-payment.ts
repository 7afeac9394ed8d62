// Applies one reported payment: reads the facts, decides, and writes what the plan names.
import {
  decidePayment,
  isWhollyHeld,
  type NextStep,
  type PaymentPlan,
} from '../../domain/payments/decide-payment';
import {
  matchPayment,
  type ExpectedPayment,
  type PaymentMatch,
} from '../../domain/payments/match-payment';
import type { PaymentNotice } from '../../domain/payments/notices';
import { refundNumberOf } from '../../domain/refunds/refund-number';
import type { DatabaseContext } from '../core/context';
import type { LockedOrder } from '../core/lock-order';
import type { InboxRow, Scope, Verdict } from '../core/scope';
import { applyReportedRefunds } from '../refunds/apply-refund-notice';
import { holdRefund } from '../refunds/hold-refund';
import { latePaymentPolicy } from '../settings/runtime-settings';
import { markOrderPaid } from './mark-order-paid';
import { openPaymentIntervention } from './open-payment-intervention';
import {
  readHeld,
  recordTransaction,
  reopenTransaction,
  type RecordedTransaction,
} from './transaction-row';

/**
 * Applies one payment that WeChat reported, under the order's lock. The transaction gets its one
 * row (P11); the order moves when the money fits; money that doesn't fit is refunded, or an
 * intervention is opened. `decidePayment` (domain/) decides all of that.
 */
export async function applyPayment(
  context: DatabaseContext,
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
): Promise<Verdict> {
  const match = matchPayment(scope.order && expectedPayment(scope.order), notice);
  const transaction = await record(scope, notice, row, match);
  const plan = decidePayment({
    notice,
    outTradeNo: scope.outTradeNo,
    source: row.source,
    match,
    known: transaction?.known ?? null,
    latePayment: isLate(match) ? await latePaymentPolicy(scope.tx) : null,
  });
  if (transaction) await writePlan({ context, scope, notice, row, key: transaction.key }, plan);
  return plan.verdict;
}

function expectedPayment(order: LockedOrder): ExpectedPayment {
  return {
    status: order.status,
    totalFen: order.totalFen,
    currency: order.currency,
    appId: order.appId,
    merchantId: order.merchantId,
    appliedTransactionId: order.appliedTransactionId,
  };
}

const isLate = (match: PaymentMatch): boolean =>
  match.kind === 'fits' && match.attention === 'late_payment';

/** null when the notice needs no row: it carries no money, or its transaction paid the order. */
async function record(
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
  match: PaymentMatch,
): Promise<RecordedTransaction | null> {
  if (match.kind === 'no_money' || match.kind === 'already_applied') return null;
  const status = match.kind === 'fits' ? 'applied' : match.transactionStatus;
  return recordTransaction(scope, notice, row, status);
}

/** A reported payment, with what its writes need. */
interface ReportedPayment {
  readonly context: DatabaseContext;
  readonly scope: Scope;
  readonly notice: PaymentNotice;
  readonly row: InboxRow;
  /** Key of the transaction's row. */
  readonly key: string;
}

async function writePlan(payment: ReportedPayment, plan: PaymentPlan): Promise<void> {
  const { context, scope, notice, row, key } = payment;
  switch (plan.kind) {
    case 'change_nothing':
      return;
    case 'open_intervention':
      return openPaymentIntervention(scope, row, notice, plan);
    case 'keep_order':
      return takeNextStep(payment, plan.next);
    case 'pay_order': {
      const { order } = scope;
      if (!order) throw new Error('A payment fits an order that does not exist');
      if (plan.transaction === 'reopened') await reopenTransaction(scope, notice, key);
      const { to, cause } = plan;
      const { transactionId } = notice;
      await markOrderPaid(context, scope, order, { to, cause, transactionId });
      return takeNextStep(payment, plan.next);
    }
  }
}

async function takeNextStep(payment: ReportedPayment, next: NextStep): Promise<void> {
  const { context, scope, notice, row } = payment;
  switch (next.kind) {
    case 'apply_reported_refunds':
      return applyReportedRefunds(context, scope, notice.transactionId);
    case 'refund_payment':
      await applyReportedRefunds(context, scope, notice.transactionId);
      if (await refundPayment(payment, next.origin)) return;
      return openPaymentIntervention(scope, row, notice, next.otherwise);
    case 'open_intervention':
      await openPaymentIntervention(scope, row, notice, next);
      return applyReportedRefunds(context, scope, notice.transactionId);
  }
}

/**
 * Holds a refund of all that is left of a payment; its own run sends it.
 * @returns false when no refund holds the money, neither this one nor an earlier one
 */
async function refundPayment(
  { context, scope, notice, key }: ReportedPayment,
  origin: 'late_payment' | 'surplus_payment',
): Promise<boolean> {
  if (notice.transactionId === null) return false;
  const outRefundNo = refundNumberOf(notice.transactionId);
  const hold = await holdRefund(scope.tx, {
    outRefundNo,
    outTradeNo: scope.outTradeNo,
    transactionKey: key,
    origin,
    amountFen: null,
    notifyUrl: context.notifyUrl,
    replaces: null,
    now: scope.now,
  });
  if (hold === 'nothing_left') return isWhollyHeld(await readHeld(scope, key));
  scope.refunds.add(outRefundNo);
  return true;
}
