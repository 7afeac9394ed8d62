// Tells WeChat where the money of an abnormal refund shall go, as a person decided.
import type { Redirect } from '../../database/refunds/redirect-refund';
import type { RefundLimits, RefundTurn } from '../../database/refunds/take-refund-turn';
import { refundEvent } from '../../domain/refunds/refund-state';
import type { RefundStanding } from '../../workflows/activity-contract';
import { retryIn } from '../retries/failures';
import { takeQueryOutcome, takeSendOutcome } from '../wechat/numbered-request';
import { isOurs, refundRequest, type RefundRequestDeps } from './refund-request';

/** The refund isn't abnormal here any more: its run looks at the row again after this. */
const CHANGED_MS = 1_000;

/**
 * Sends a redirect. Where WeChat refuses it, WeChat may have settled the refund meanwhile: then the
 * refund's new status counts, and no intervention opens.
 */
export async function redirectRefund(
  deps: RefundRequestDeps,
  limits: RefundLimits,
  { request, refundId, target, attemptId }: Redirect,
): Promise<RefundStanding> {
  const { database, wechatpay, now } = deps;
  const { merchantId, outRefundNo } = request;
  const redirects = refundRequest(deps, limits, 'abnormal');
  const outcome = await wechatpay.applyAbnormalRefund({
    merchantId,
    outRefundNo,
    refundId,
    to: target,
  });
  if (outcome.kind === 'refused') {
    const seen = await wechatpay.queryRefund(request);
    if (seen.kind === 'ok' && refundEvent(seen.value.status) !== 'abnormal') {
      const { wechatCode: code, requestId } = outcome;
      const ended = { id: attemptId, outcome: 'refused', code, requestId } as const;
      await database.refunds.endAttempt(ended, now());
      const query = { request, acceptedAtMs: null, mayBeAbsent: false };
      return takeQueryOutcome(redirects, query, seen);
    }
  }
  return takeSendOutcome(redirects, { request, attemptId }, outcome);
}

/**
 * Queries WeChat after a redirect whose outcome is unknown. While WeChat reports the refund as
 * abnormal, it did not take the redirect: the same is sent again.
 */
export async function queryRedirect(
  deps: RefundRequestDeps,
  limits: RefundLimits,
  { request, acceptedAtMs }: Extract<RefundTurn, { kind: 'query_redirect' }>,
): Promise<RefundStanding> {
  const { database, wechatpay, now } = deps;
  const outcome = await wechatpay.queryRefund(request);
  const isAbnormal =
    outcome.kind === 'ok' &&
    isOurs(request, outcome.value) &&
    refundEvent(outcome.value.status) === 'abnormal';
  if (!isAbnormal) {
    const query = { request, acceptedAtMs, mayBeAbsent: false };
    return takeQueryOutcome(refundRequest(deps, limits), query, outcome);
  }
  const { outRefundNo } = request;
  const { attemptLifeMs, busyMs } = limits;
  const again = await database.refunds.redirectAgain(outRefundNo, { attemptLifeMs, busyMs }, now());
  if (again?.kind === 'redirect') return redirectRefund(deps, limits, again);
  if (again !== null) {
    await database.refunds.dueAgain(outRefundNo, now() + again.delayMs);
    throw retryIn(again.delayMs, 'NOT_YET', 'wechat.refund');
  }
  throw retryIn(CHANGED_MS, 'NOT_YET', 'wechat.refund');
}
