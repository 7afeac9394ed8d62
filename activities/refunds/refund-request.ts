// Describes a refund as a numbered request to WeChat.
import type { Database } from '../../database/database';
import type { RefundOperation, StoredRefund } from '../../database/refunds/lock-refund';
import type { RefundLimits } from '../../database/refunds/take-refund-turn';
import { refundEvent, type RefundStatus } from '../../domain/refunds/refund-state';
import type { RefundState } from '../../providers/wechatpay/calls/refunds';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { RefundStanding } from '../../workflows/activity-contract';
import { wakeOrLeaveToSweep } from '../runs/wake-or-leave-to-sweep';
import { runs } from '../runs/wake-runs';
import type { NumberedReport, NumberedRequestKind, Recorded } from '../wechat/numbered-request';

export interface RefundRequestDeps {
  readonly database: Pick<Database, 'refunds'>;
  readonly wechatpay: Pick<WechatPayClient, 'refund' | 'queryRefund' | 'applyAbnormalRefund'>;
  readonly now: () => number;
}

export type RefundRequestKind = NumberedRequestKind<StoredRefund, RefundState, RefundStanding>;

/**
 * Makes the description of a refund.
 * @param operation of the attempts whose responses are recorded: the refund itself, or its redirect
 */
export function refundRequest(
  deps: RefundRequestDeps,
  limits: RefundLimits,
  operation: RefundOperation = 'refund',
): RefundRequestKind {
  const { database, wechatpay, now } = deps;
  return {
    operations: {
      send: 'wechat.refund',
      query: 'wechat.refund_query',
      foreign: 'wechat.refund',
    },
    foreignDetail: 'WeChat has another payment or amount under this refund number',
    now,
    failure: (refund) => ({
      number: refund.outRefundNo,
      subject: refund.outRefundNo,
      evidence: {
        out_refund_no: refund.outRefundNo,
        transaction_id: refund.transactionId,
        amount: { refund: refund.refundFen, total: refund.totalFen, currency: refund.currency },
      },
    }),
    send: (refund) => wechatpay.refund(refund),
    query: (refund) => wechatpay.queryRefund(refund),
    async startAfterAbsence({ outRefundNo }) {
      const start = await database.refunds.startAfterAbsence(outRefundNo, limits, now);
      if (start.kind === 'wait') {
        await database.refunds.dueAgain(outRefundNo, now() + start.delayMs);
      }
      return start;
    },
    endAttempt: (attempt) => database.refunds.endAttempt(attempt, now()),
    recordReport: (refund, report) => recordReport(deps, operation, refund, report),
    dueAgain: (outRefundNo, atMs) => database.refunds.dueAgain(outRefundNo, atMs),
    wakeOrderRun: ({ outTradeNo, outRefundNo }) => wakeOrderRun(outTradeNo, outRefundNo),
  };
}

/**
 * True when WeChat's refund is ours: another program of this merchant may have used the number
 * before.
 */
export function isOurs(refund: StoredRefund, state: RefundState): boolean {
  const pairs = [
    [state.transactionId, refund.transactionId],
    [state.outTradeNo, refund.outTradeNo],
    [state.refundFen, refund.refundFen],
  ] as const;
  return pairs.every(([seen, ours]) => seen === null || seen === ours);
}

/** True when the response is about our number; one that names none is. */
const isAsked = (refund: StoredRefund, { outRefundNo }: RefundState): boolean =>
  outRefundNo === null || outRefundNo === refund.outRefundNo;

async function recordReport(
  { database, now }: RefundRequestDeps,
  operation: RefundOperation,
  refund: StoredRefund,
  { state, attempt, nextQueryAtMs }: NumberedReport<RefundState>,
): Promise<Recorded<RefundStanding>> {
  const { outRefundNo, outTradeNo } = refund;
  // A response about another refund says nothing about our attempts: WeChat may have taken them.
  if (!isAsked(refund, state)) return { kind: 'foreign' };
  if (!isOurs(refund, state)) {
    await database.refunds.refuseForeignAttempts(outRefundNo, now());
    return { kind: 'foreign' };
  }
  const event = refundEvent(state.status);
  if (event === null) return { kind: 'unknown_state', reported: state.reportedStatus };
  const report = {
    event,
    refundId: state.refundId,
    nextQueryAt: event === 'processing' ? new Date(nextQueryAtMs) : null,
    evidence: { source: attempt === null ? 'query' : 'answer', refund_id: state.refundId },
  };
  const accepted = attempt && { ...attempt, operation };
  const status = await database.refunds.recordReport(outRefundNo, report, accepted, now());
  if (status === 'processing') return { kind: 'again', delayMs: nextQueryAtMs - now() };
  await wakeOrderRun(outTradeNo, outRefundNo);
  return { kind: 'ended', standing: standingOf(status) };
}

/** How a refund stands for its run, which has nothing to send or query now. */
export function standingOf(status: RefundStatus | 'unknown_refund'): RefundStanding {
  switch (status) {
    case 'succeeded':
    case 'closed':
    case 'unknown_refund':
      return status;
    case 'pending':
    case 'processing':
    case 'abnormal':
      return 'person_needed';
  }
}

/** Wakes the order's run: it sends the shop's webhook, and shows the intervention. */
export function wakeOrderRun(outTradeNo: string, outRefundNo: string): Promise<void> {
  return wakeOrLeaveToSweep(runs.wakeOrder(outTradeNo, `refund:${outRefundNo}`));
}
