// Actions on refunds: send again, abandon, replace by a new number, redirect an abnormal one.
import { replacementNumber } from '../../domain/refunds/refund-number';
import { isSettled } from '../../domain/refunds/refund-state';
import { REFUND_LIMIT_TEXTS, refundLimit } from '../refunds/refund-limits';
import { freeRefundHold, holdRefund } from '../refunds/hold-refund';
import { lockRefund, refundAttempts } from '../refunds/lock-refund';
import { reportToShop } from '../refunds/settle-refund';
import { watchAbnormal } from '../refunds/watch-abnormal-refund';
import { resetBudgets } from '../retries/spend-retry-budgets';
import { doubtAcceptedAttempts } from '../requests/numbered-attempts';
import { refundNamed } from './payment-actions';
import {
  DONE,
  isLostAtWechat,
  refused,
  type ResolutionScope,
  type Outcome,
} from './resolution-scope';

const NO_REFUND = 'Oncepay has no record of this refund';

/** The refund's number from the subject; a surplus payment may be named by its transaction. */
async function refundNoOf({ scope, intervention }: ResolutionScope): Promise<string | null> {
  const { subject } = intervention;
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

/** `retry`: sends the refund again under its number, with a new retry budget. */
export async function retryRefund(resolution: ResolutionScope): Promise<Outcome> {
  const { scope } = resolution;
  const outRefundNo = await refundNoOf(resolution);
  if (outRefundNo === null) return refundNamed(resolution);
  await resetBudgets(scope.tx, outRefundNo);
  if (isLostAtWechat(resolution.intervention)) await doubtAcceptance(resolution, outRefundNo);
  await scope.tx.refund.updateMany({
    where: { outRefundNo, status: { in: ['pending', 'processing', 'abnormal'] } },
    data: { dueAt: scope.now, nextQueryAt: scope.now },
  });
  scope.refunds.add(outRefundNo);
  return DONE;
}

/**
 * WeChat lost what it had accepted, so its acceptance counts no more. The run queries once more; if
 * WeChat still does not find the number, the run sends the same bytes under the same number.
 */
async function doubtAcceptance({ scope }: ResolutionScope, outRefundNo: string): Promise<void> {
  const { count } = await scope.tx.refund.updateMany({
    where: { outRefundNo, status: 'processing' },
    data: { status: 'pending', acceptedAt: null },
  });
  if (count > 0) await doubtAcceptedAttempts(scope, refundAttempts(outRefundNo, 'refund'));
}

/** `dismiss` of a refund that failed: abandons it, unless WeChat may have it. */
export async function abandonRefund(resolution: ResolutionScope): Promise<Outcome> {
  const { scope } = resolution;
  const outRefundNo = await refundNoOf(resolution);
  const refund = outRefundNo === null ? null : await lockRefund(scope.tx, outRefundNo);
  if (!refund || isSettled(refund.status)) return DONE;
  const maybeTaken = await scope.tx.refundAttempt.count({
    where: {
      outRefundNo: refund.outRefundNo,
      OR: [{ outcome: null }, { outcome: { in: ['unknown', 'accepted'] } }],
    },
  });
  if (maybeTaken > 0 || refund.status !== 'pending') {
    const detail = 'WeChat may have this refund already: resolve with retry, it keeps its number';
    return refused('REFUND_RESERVED', detail);
  }
  await scope.tx.refund.updateMany({
    where: { outRefundNo: refund.outRefundNo, status: 'pending' },
    data: { status: 'closed', closedAt: scope.now, dueAt: null, nextQueryAt: null },
  });
  await freeRefundHold(scope, refund);
  await reportToShop(resolution.context, scope, refund, 'refund.closed');
  scope.changed = true;
  return DONE;
}

/** `new_number`: replaces a refund that WeChat closed, once. Only an operator may start it. */
export async function replaceRefund(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, context, intervention } = resolution;
  const old = await lockRefund(scope.tx, intervention.subject);
  if (!old) return refused('NOT_FOUND', NO_REFUND);
  if (old.status !== 'closed') {
    return refused('REFUND_RESERVED', `The refund is ${old.status}, so it needs no replacement`);
  }
  const outRefundNo = await numberInPlaceOf(resolution, old.outRefundNo);
  if (outRefundNo === null) return DONE;
  const limit = await refundLimit(scope.tx, old.transactionKey, scope.now);
  if (limit !== null) return refused('REFUND_LIMIT', REFUND_LIMIT_TEXTS[limit]);
  const hold = await holdRefund(scope.tx, {
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
  if (hold === 'nothing_left') {
    return refused('NOTHING_TO_REFUND', 'Less than the amount of this refund is left');
  }
  scope.refunds.add(outRefundNo);
  scope.changed = true;
  return DONE;
}

/**
 * The first number made from a closed refund's that no other refund has. A shop may count its
 * refunds in the same way, so the next number can be another refund's.
 * @returns null when the refund was replaced before
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

/** `dismiss` of an abnormal refund: the operator handles it on the merchant platform. */
export async function leaveAbnormal({ scope, intervention }: ResolutionScope): Promise<Outcome> {
  await watchAbnormal(scope, intervention.subject);
  return DONE;
}

/** `to_user`, `to_bank_card`: stores where an abnormal refund shall go; its run tells WeChat. */
export async function redirectRefund(
  resolution: ResolutionScope,
  to: 'user_bank_card' | 'merchant_bank_card',
): Promise<Outcome> {
  const { scope, context, intervention, params } = resolution;
  const refund = await lockRefund(scope.tx, intervention.subject);
  if (!refund) return refused('NOT_FOUND', NO_REFUND);
  if (refund.status !== 'abnormal' || refund.refundId === null) {
    return refused('REFUND_RESERVED', `The refund is ${refund.status}, so it can't be redirected`);
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
