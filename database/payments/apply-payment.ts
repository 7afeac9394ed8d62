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
import { carriesMoney, type PaymentNotice } from '../../domain/payments/notices';
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
): Promise<Verdict | null> {
  const match = matchPayment(scope.order && expectedPayment(scope.order), notice);
  const transaction = await record(scope, notice, row, match);
  const plan = decidePayment({
    notice,
    outTradeNo: scope.outTradeNo,
    source: row.source,
    match,
    known: transaction?.known ?? null,
    queried: row.queriedAt === null ? null : row.queryFound ? 'found' : 'not_found',
    latePayment: isLate(match) ? await latePaymentPolicy(scope.tx) : null,
  });
  await writePlan({ context, scope, notice, row, key: transaction?.key ?? null }, plan);
  if (isUnexplainedRefund(scope, notice, row, plan)) scope.toQuery.add(row.id);
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

/** A callback says that money went back, not by which refunds: the query looks for ours. */
function isUnexplainedRefund(
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
  plan: PaymentPlan,
): boolean {
  const isNews = plan.kind === 'pay_order' || plan.kind === 'keep_order';
  const isCallback = row.source === 'callback';
  return isNews && isCallback && notice.tradeState === 'REFUND' && scope.order !== null;
}

const isLate = (match: PaymentMatch): boolean =>
  match.kind === 'fits' && match.attention === 'late_payment';

/** null when the notice needs no row: no money, no transaction, or one that has paid the order. */
async function record(
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
  match: PaymentMatch,
): Promise<RecordedTransaction | null> {
  const { transactionId, tradeState } = notice;
  if (match.kind !== 'fits' && match.kind !== 'unfit') return null;
  if (transactionId === null || !carriesMoney(tradeState)) return null;
  const status = match.kind === 'fits' ? 'applied' : match.transactionStatus;
  return recordTransaction(scope, { ...notice, transactionId, tradeState }, row, status);
}

/** A reported payment, with what its writes need. */
interface ReportedPayment {
  readonly context: DatabaseContext;
  readonly scope: Scope;
  readonly notice: PaymentNotice;
  readonly row: InboxRow;
  /** Key of the transaction's row; null where WeChat names no transaction. */
  readonly key: string | null;
}

async function writePlan(payment: ReportedPayment, plan: PaymentPlan): Promise<void> {
  const { context, scope, notice, row, key } = payment;
  switch (plan.kind) {
    case 'change_nothing':
    case 'query_wechat':
      return;
    case 'open_intervention':
      return openPaymentIntervention(scope, row, notice, plan);
    case 'keep_order':
      return takeNextStep(payment, plan.next);
    case 'pay_order': {
      const { order } = scope;
      if (!order || key === null) throw new Error('A payment without order or transaction fits');
      if (plan.transaction === 'reopened') await reopenTransaction(scope, notice, key);
      const { to, cause } = plan;
      const { transactionId } = notice;
      await markOrderPaid(context, scope, order, { to, cause, transactionId });
      if (order.hasOpenIntervention) await endUnclear(scope);
      return takeNextStep(payment, plan.next);
    }
  }
}

/** The payment explains the reports that named no transaction: one number is paid once. */
async function endUnclear({ tx, outTradeNo, now }: Scope): Promise<void> {
  await tx.$executeRaw`
    UPDATE interventions SET status = 'resolved', resolved_at = ${now}, resolution = 'moot'
    WHERE out_trade_no = ${outTradeNo} AND status = 'open' AND reason = 'reconciliation'
      AND evidence @> '{"transaction_id": null}' AND evidence->'out_refund_no' IS NULL`;
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
  if (notice.transactionId === null || key === null) return false;
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
  // A number that exists holds its own amount, which may be less than what is left.
  return hold === 'held' || isWhollyHeld(await readHeld(scope, key));
}
