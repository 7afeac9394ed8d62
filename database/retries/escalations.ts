import type { ErrorCode } from '../../domain/error-catalogue';
import type { InterventionReason } from '../../domain/interventions/reasons';
import { isSharingSettled } from '../../domain/sharing/profit-sharing';
import { canBePaid } from '../../domain/orders/order-state';
import { isSettled } from '../../domain/refunds/refund-state';
import type { RetryOperation } from '../../domain/retries/retry-policy';
import type { DatabaseContext, Tx } from '../core/context';
import { openIntervention } from '../interventions/open-intervention';
import { lockRefund } from '../refunds/lock-refund';
import { abandonShareReturns, mayBeTakenBack } from '../sharing/lock-share-returns';
import { lockSharing } from '../sharing/lock-sharing';
import { lockOrder } from '../core/order-row';

/** An operation that is not tried again: its budget is spent, or no attempt can cure its error. */
export interface Escalation {
  readonly operation: RetryOperation;
  /** Of the order or the refund. */
  readonly number: string;
  readonly subject: string;
  readonly code: ErrorCode;
  readonly attempts: number;
  /** What a person needs to decide; never personal data. */
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** `opened`: news; `open`: the question was open already; `moot`: nobody needs the answer any more. */
export type EscalationResult = 'opened' | 'open' | 'moot';

interface Question {
  readonly outTradeNo: string;
  readonly ours: boolean;
  readonly reason: InterventionReason;
  readonly subject: string;
  readonly amountFen: number | null;
}

const EFFECT_REASONS: Partial<Record<ErrorCode, InterventionReason>> = {
  NO_STOCK: 'no_stock',
  NO_CODES: 'no_codes',
};

/** What follows a spent budget: the row that was tried says so, and a person is asked, in one transaction. */
export function createEscalations({ prisma }: DatabaseContext) {
  return {
    open: (given: Escalation, nowMs: number): Promise<EscalationResult> =>
      prisma.$transaction(async (tx): Promise<EscalationResult> => {
        const question = await interventionOf(tx, given, nowMs);
        if (question === null) return 'moot';
        const { operation, code, attempts, evidence } = given;
        const now = new Date(nowMs);
        const isNews = await openIntervention(tx, {
          ...question,
          evidence: { operation, code, attempts, last_at: now.toISOString(), ...evidence },
          now,
        });
        return isNews ? 'opened' : 'open';
      }),
  };
}

/** What is asked, with the order locked; null when it is no question any more. */
function interventionOf(tx: Tx, given: Escalation, nowMs: number): Promise<Question | null> {
  switch (given.operation) {
    case 'wechat.prepay':
    case 'wechat.query':
    case 'wechat.close':
      return aboutWechat(tx, given);
    case 'wechat.refund':
    case 'wechat.refund_query':
      return aboutRefund(tx, given);
    case 'wechat.sharing':
    case 'wechat.sharing_query':
      return aboutSharing(tx, given);
    case 'wechat.return':
      return aboutReturn(tx, given, nowMs);
    case 'inventory.stock':
    case 'fulfilment.points':
    case 'fulfilment.sales':
    case 'fulfilment.delivery':
      return aboutEffect(tx, given);
    case 'notification.webhook':
    case 'notification.message':
      return aboutDelivery(tx, given);
    case 'database.read':
    case 'database.write':
      return aboutStep(tx, given);
  }
}

/** Paid or closed meanwhile: there is nothing to ask any more. */
async function aboutWechat(tx: Tx, given: Escalation): Promise<Question | null> {
  const { number: outTradeNo, subject } = given;
  const order = await lockOrder(tx, outTradeNo);
  if (!order || !canBePaid(order.status)) return null;
  return { outTradeNo, ours: true, reason: 'wechat_failed', subject, amountFen: null };
}

async function aboutRefund(tx: Tx, given: Escalation): Promise<Question | null> {
  const { number: outRefundNo } = given;
  const refund = await lockRefund(tx, outRefundNo);
  if (!refund || isSettled(refund.status)) return null;
  const { outTradeNo, orderNo, origin, amountFen } = refund;
  if (refund.status === 'abnormal') {
    // Where it should have gone was no good: a person says where else.
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

async function aboutSharing(tx: Tx, given: Escalation): Promise<Question | null> {
  const row = await lockSharing(tx, given.number);
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

/** A take-back that WeChat can't have is over; the answer `retry` gives it a new number. */
async function aboutReturn(tx: Tx, given: Escalation, nowMs: number): Promise<Question | null> {
  const { number: outRefundNo, code } = given;
  const refund = await lockRefund(tx, outRefundNo);
  if (!refund) return null;
  const maybe = await mayBeTakenBack(tx, outRefundNo);
  if (!maybe) await abandonShareReturns({ tx, now: new Date(nowMs) }, outRefundNo, code);
  // Of a refund that has ended without it, only money that may be on its way is a question.
  if (refund.status !== 'pending' && !maybe) return null;
  return {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason: 'return_failed',
    subject: outRefundNo,
    amountFen: refund.amountFen,
  };
}

/** The effect counts as spent: it is no longer due, whoever looks. */
async function aboutEffect(tx: Tx, given: Escalation): Promise<Question | null> {
  const { number: outTradeNo, subject: effect, code } = given;
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return null;
  const { count } = await tx.orderEffect.updateMany({
    where: { outTradeNo, effect, status: 'failed' },
    data: { spent: true },
  });
  if (count === 0) return null;
  const reason = EFFECT_REASONS[code] ?? 'effect_failed';
  // What a refund would move: the payment may be more than the order's total.
  const paid = await tx.paymentTransaction.findFirst({
    where: { orderNo: outTradeNo, status: 'applied' },
    select: { totalFen: true, heldFen: true },
  });
  const amountFen = paid ? (paid.totalFen ?? order.total_fen) - paid.heldFen : order.total_fen;
  return { outTradeNo, ours: true, reason, subject: effect, amountFen };
}

async function aboutDelivery(tx: Tx, given: Escalation): Promise<Question | null> {
  const { number: outTradeNo, subject, attempts, evidence } = given;
  const [kind = '', ...rest] = subject.split(':');
  await lockOrder(tx, outTradeNo);
  const lastError = typeof evidence['message'] === 'string' ? evidence['message'] : null;
  const { count } = await tx.delivery.updateMany({
    where: { id: rest.join(':'), kind, status: 'pending' },
    data: { status: 'failed', attempts, lastError },
  });
  if (count === 0) return null;
  return { outTradeNo, ours: true, reason: 'undeliverable', subject, amountFen: null };
}

function subjectOf(given: Escalation, isRefund: boolean, isSharing: boolean): string {
  if (isRefund) return `refund:${given.number}`;
  return isSharing ? `sharing:${given.number}` : given.subject;
}

/** A step of the run of a refund or a sharing is asked about at its order. */
async function aboutStep(tx: Tx, given: Escalation): Promise<Question> {
  const refund = await tx.refund.findUnique({
    where: { outRefundNo: given.number },
    select: { outTradeNo: true },
  });
  const sharing = await tx.profitSharing.findUnique({
    where: { outOrderNo: given.number },
    select: { outTradeNo: true },
  });
  const outTradeNo = refund?.outTradeNo ?? sharing?.outTradeNo ?? given.number;
  const order = await lockOrder(tx, outTradeNo);
  const subject = subjectOf(given, refund !== null, sharing !== null);
  return { outTradeNo, ours: order !== null, reason: 'stuck', subject, amountFen: null };
}
