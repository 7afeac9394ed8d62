// Escalates an operation that is not tried again: marks its row, opens an intervention.
import type { ErrorCode } from '../../domain/error-catalogue';
import type { InterventionReason } from '../../domain/interventions/reasons';
import { formatSubject, parseSubject } from '../../domain/interventions/subjects';
import { isBillDate } from '../../domain/reconciliation/bill-days';
import { isSharingSettled } from '../../domain/sharing/profit-sharing';
import { canBePaid } from '../../domain/orders/order-state';
import { isSettled } from '../../domain/refunds/refund-state';
import type { RetryOperation } from '../../domain/retries/retry-policy';
import type { DatabaseContext, Tx } from '../core/context';
import type { UnreadableValueError } from '../encryption/unreadable-value';
import { openIntervention } from '../interventions/open-intervention';
import { lockRefund } from '../refunds/lock-refund';
import { abandonShareReturns, mayBeTakenBack } from '../sharing/lock-share-returns';
import { lockSharing } from '../sharing/lock-sharing';
import { lockOrder } from '../core/lock-order';

/** An operation that is not tried again: its budget is spent, or no attempt can succeed. */
export interface Escalation {
  readonly operation: RetryOperation;
  /** The number of the order, refund or sharing. */
  readonly number: string;
  readonly subject: string;
  readonly code: ErrorCode;
  readonly attempts: number;
  /** The facts that a person needs to decide; no personal data. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** The value that can't be decrypted, where that is why the operation failed. */
  readonly unreadable?: UnreadableValueError | undefined;
}

/** `opened`: a new intervention; `open`: it was open before; `moot`: none is needed any more. */
export type EscalationResult = 'opened' | 'open' | 'moot';

interface NewIntervention {
  /** null where it is about a bill. */
  readonly outTradeNo: string | null;
  readonly ours: boolean;
  readonly reason: InterventionReason;
  readonly subject: string;
  readonly amountFen: number | null;
}

const EFFECT_REASONS: Partial<Record<ErrorCode, InterventionReason>> = {
  NO_STOCK: 'no_stock',
  NO_CODES: 'no_codes',
};

/** Marks the row and opens the intervention in one transaction. */
export function createEscalations({ prisma, unreadable }: DatabaseContext) {
  return {
    /** Escalates an operation, unless the order, refund or sharing does not need it any more. */
    async escalate(escalation: Escalation, nowMs: number): Promise<EscalationResult> {
      const { result, outTradeNo } = await prisma.$transaction((tx) =>
        openFor(tx, escalation, nowMs),
      );
      const isNews = result === 'opened';
      if (isNews && escalation.unreadable) unreadable.log(escalation.unreadable, outTradeNo);
      return result;
    },
  };
}

/** @returns `outTradeNo` of the intervention, or the escalation's number where none is needed */
async function openFor(
  tx: Tx,
  escalation: Escalation,
  nowMs: number,
): Promise<{ readonly result: EscalationResult; readonly outTradeNo: string }> {
  const intervention = await interventionFor(tx, escalation, nowMs);
  if (intervention === null) return { result: 'moot', outTradeNo: escalation.number };
  const { operation, code, attempts, evidence } = escalation;
  const now = new Date(nowMs);
  const isNews = await openIntervention(tx, {
    ...intervention,
    evidence: { operation, code, attempts, last_at: now.toISOString(), ...evidence },
    now,
  });
  const outTradeNo = intervention.outTradeNo ?? escalation.number;
  return { result: isNews ? 'opened' : 'open', outTradeNo };
}

/** Locks the order and says which intervention to open; null when none is needed any more. */
function interventionFor(
  tx: Tx,
  escalation: Escalation,
  nowMs: number,
): Promise<NewIntervention | null> {
  switch (escalation.operation) {
    case 'wechat.prepay':
    case 'wechat.query':
    case 'wechat.close':
      return interventionForOrder(tx, escalation);
    case 'wechat.refund':
    case 'wechat.refund_query':
      return interventionForRefund(tx, escalation);
    case 'wechat.sharing':
    case 'wechat.sharing_query':
      return interventionForSharing(tx, escalation);
    case 'wechat.bill':
      return interventionForBill(tx, escalation);
    case 'wechat.return':
      return interventionForShareReturn(tx, escalation, nowMs);
    case 'inventory.stock':
    case 'fulfilment.points':
    case 'fulfilment.sales':
    case 'fulfilment.delivery':
      return interventionForEffect(tx, escalation);
    case 'notification.webhook':
    case 'notification.message':
      return interventionForDelivery(tx, escalation);
    case 'database.read':
    case 'database.write':
      return interventionForStep(tx, escalation);
  }
}

/** An order that was paid or closed meanwhile needs no intervention. */
async function interventionForOrder(
  tx: Tx,
  escalation: Escalation,
): Promise<NewIntervention | null> {
  const { number: outTradeNo, subject } = escalation;
  const order = await lockOrder(tx, outTradeNo);
  if (!order || !canBePaid(order.status)) return null;
  return { outTradeNo, ours: true, reason: 'wechat_failed', subject, amountFen: null };
}

/** A day that ended meanwhile needs no intervention. */
async function interventionForBill(
  tx: Tx,
  { number: billDate }: Escalation,
): Promise<NewIntervention | null> {
  const open = await tx.reconciliation.count({ where: { billDate, dueAt: { not: null } } });
  if (open === 0) return null;
  const subject = formatSubject('bill', billDate);
  return { outTradeNo: null, ours: false, reason: 'reconciliation', subject, amountFen: null };
}

async function interventionForRefund(
  tx: Tx,
  escalation: Escalation,
): Promise<NewIntervention | null> {
  const { number: outRefundNo } = escalation;
  const refund = await lockRefund(tx, outRefundNo);
  if (!refund || isSettled(refund.status)) return null;
  const { outTradeNo, orderNo, origin, amountFen } = refund;
  if (refund.status === 'abnormal') {
    // WeChat refused the bank card that a person named: a person must name another one.
    await tx.refund.updateMany({
      where: { outRefundNo, status: 'abnormal' },
      data: { abnormalEncrypted: null, dueAt: null },
    });
    const subject = outRefundNo;
    return { outTradeNo, ours: orderNo !== null, reason: 'refund_abnormal', subject, amountFen };
  }
  const reason = origin === 'surplus_payment' ? 'surplus_payment' : 'refund_failed';
  return { outTradeNo, ours: orderNo !== null, reason, subject: outRefundNo, amountFen };
}

async function interventionForSharing(
  tx: Tx,
  escalation: Escalation,
): Promise<NewIntervention | null> {
  const row = await lockSharing(tx, escalation.number);
  if (!row || isSharingSettled(row.status)) return null;
  const { _sum } = await tx.profitSharingReceiver.aggregate({
    where: { outOrderNo: row.outOrderNo, result: 'PENDING' },
    _sum: { amountFen: true },
  });
  return {
    outTradeNo: row.outTradeNo,
    ours: true,
    reason: 'sharing_failed',
    subject: row.outOrderNo,
    amountFen: _sum.amountFen ?? 0,
  };
}

/** Ends a take-back that WeChat can't have got; the resolution `retry` gives it a new number. */
async function interventionForShareReturn(
  tx: Tx,
  escalation: Escalation,
  nowMs: number,
): Promise<NewIntervention | null> {
  const { number: outRefundNo, code } = escalation;
  const refund = await lockRefund(tx, outRefundNo);
  if (!refund) return null;
  const maybe = await mayBeTakenBack(tx, outRefundNo);
  if (!maybe) await abandonShareReturns({ tx, now: new Date(nowMs) }, outRefundNo, code);
  // A refund that ended without it needs a person only when shared money may still move.
  if (refund.status !== 'pending' && !maybe) return null;
  return {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason: 'return_failed',
    subject: outRefundNo,
    amountFen: refund.amountFen,
  };
}

/** Marks the effect as spent, so that it is not due any more. */
async function interventionForEffect(
  tx: Tx,
  escalation: Escalation,
): Promise<NewIntervention | null> {
  const { number: outTradeNo, subject: effect, code } = escalation;
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return null;
  const { count } = await tx.orderEffect.updateMany({
    where: { outTradeNo, effect, status: 'failed' },
    data: { spent: true },
  });
  if (count === 0) return null;
  const reason = EFFECT_REASONS[code] ?? 'effect_failed';
  // The amount that a refund would move: the payment may be higher than the order's total.
  const paid = await tx.paymentTransaction.findFirst({
    where: { orderNo: outTradeNo, status: 'applied' },
    select: { totalFen: true, heldFen: true },
  });
  const amountFen = paid ? (paid.totalFen ?? order.totalFen) - paid.heldFen : order.totalFen;
  return { outTradeNo, ours: true, reason, subject: effect, amountFen };
}

async function interventionForDelivery(
  tx: Tx,
  escalation: Escalation,
): Promise<NewIntervention | null> {
  const { number: outTradeNo, subject, attempts, evidence } = escalation;
  const { kind, id } = parseSubject(subject);
  await lockOrder(tx, outTradeNo);
  if (kind === null) return null;
  const lastError = typeof evidence['message'] === 'string' ? evidence['message'] : null;
  const { count } = await tx.delivery.updateMany({
    where: { id, kind, status: 'pending' },
    data: { status: 'failed', attempts, lastError },
  });
  if (count === 0) return null;
  return { outTradeNo, ours: true, reason: 'undeliverable', subject, amountFen: null };
}

function subjectOf(escalation: Escalation, isRefund: boolean, isSharing: boolean): string {
  if (isRefund) return formatSubject('refund', escalation.number);
  return isSharing ? formatSubject('sharing', escalation.number) : escalation.subject;
}

/** A stuck step of a refund or a sharing opens an intervention at its order. */
async function interventionForStep(
  tx: Tx,
  escalation: Escalation,
): Promise<NewIntervention | null> {
  if (isBillDate(escalation.number)) return interventionForBill(tx, escalation);
  const refund = await tx.refund.findUnique({
    where: { outRefundNo: escalation.number },
    select: { outTradeNo: true },
  });
  const sharing = await tx.profitSharing.findUnique({
    where: { outOrderNo: escalation.number },
    select: { outTradeNo: true },
  });
  const outTradeNo = refund?.outTradeNo ?? sharing?.outTradeNo ?? escalation.number;
  const order = await lockOrder(tx, outTradeNo);
  const subject = subjectOf(escalation, refund !== null, sharing !== null);
  return { outTradeNo, ours: order !== null, reason: 'stuck', subject, amountFen: null };
}
