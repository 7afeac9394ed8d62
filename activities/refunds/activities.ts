import { Context } from '@temporalio/activity';
import type { Database } from '../../database/database';
import type { AcceptedAttempt } from '../../database/refunds/refund-attempts';
import type { Redirect } from '../../database/refunds/redirect-refund';
import type { StoredRefund } from '../../database/refunds/lock-refund';
import type { RefundLimits, RefundTurn } from '../../database/refunds/take-refund-turn';
import { nextQueryAt } from '../../domain/orders/query-schedule';
import { refundEvent, type RefundStatus } from '../../domain/refunds/refund-state';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { RefundState } from '../../providers/wechatpay/calls/refunds';
import type { MoneyActivities, RefundStanding } from '../../workflows/activity-contract';
import { OperationFailure, retryIn } from '../retries/failures';
import { isAbsent, QUERY_GAPS_MS, type Unsettled } from '../wechat/outcomes';
import { takeBackShare, type TakeBackDeps } from './take-back-shares';
import { runs } from '../runs/wake-runs';
import { ATTEMPT_LIFE_MS } from '../wechat/deps';

export interface MoneyActivityDeps {
  readonly database: Pick<Database, 'refunds' | 'shareReturns'>;
  readonly wechatpay: Pick<WechatPayClient, 'refund' | 'queryRefund' | 'applyAbnormalRefund'> &
    TakeBackDeps['wechatpay'];
  /** Least time between two refunds of one payment. */
  readonly refundSpacingMs: () => Promise<number>;
  readonly now: () => number;
  readonly random: () => number;
}

/** The money that goes back. */
export function createMoneyActivities(deps: MoneyActivityDeps) {
  return {
    async settleRefund(outRefundNo) {
      const { database, refundSpacingMs, now, random } = deps;
      const limits = {
        spacingMs: await refundSpacingMs(),
        attemptLifeMs: ATTEMPT_LIFE_MS,
        busyMs: busyMs(Context.current().info.attempt, random()),
      };
      const turn = await database.refunds.turn(outRefundNo, limits, now);
      switch (turn.kind) {
        case 'over':
          // Whoever booked the end may have died before it told the order's run.
          if (turn.dueOrder !== null) await wakeOrderRun(turn.dueOrder, outRefundNo);
          return standingOf(turn.status);
        case 'wait':
          await database.refunds.dueAgain(outRefundNo, now() + turn.delayMs, null);
          throw retryIn(turn.delayMs, 'NOT_YET', 'wechat.refund');
        case 'send':
          return send(deps, turn.refund, turn.attemptId);
        case 'ask':
          return ask(deps, turn, limits);
        case 'redirect':
          return redirect(deps, turn);
        case 'asked':
          await runs.wakeOrder(turn.outTradeNo, `refund:${outRefundNo}`).catch(() => undefined);
          return 'person_needed';
        case 'return_send':
        case 'return_ask':
          return takeBackShare(deps, turn);
      }
    },
  } satisfies MoneyActivities;
}

/** Those that wait longest ask most rarely, at times of their own. */
function busyMs(attempt: number, random: number): number {
  const mostMs = Math.min(5_000, 500 * 2 ** Math.min(attempt, 8));
  return Math.round(500 + mostMs * random);
}

function standingOf(status: RefundStatus | 'unknown_refund'): RefundStanding {
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

/** Sends the refund; a repeat is the same bytes under the same number (P8). */
async function send(
  deps: MoneyActivityDeps,
  refund: StoredRefund,
  attemptId: string,
): Promise<RefundStanding> {
  const outcome = await deps.wechatpay.refund(refund);
  if (outcome.kind !== 'ok') return failed(deps, 'wechat.refund', refund, outcome, attemptId);
  const { requestId } = outcome;
  const attempt = { id: attemptId, requestId, operation: 'refund' } as const;
  return recordResponse(deps, refund, outcome.value, attempt, deps.now());
}

/** Asks first: after an unknown attempt WeChat may have it, or it works on it. */
async function ask(
  deps: MoneyActivityDeps,
  turn: RefundTurn & { kind: 'ask' },
  limits: RefundLimits,
): Promise<RefundStanding> {
  const { database, now } = deps;
  const { refund, acceptedAtMs, ifNotTaken } = turn;
  const { outRefundNo } = refund;
  const outcome = await deps.wechatpay.queryRefund(refund);
  if (outcome.kind === 'ok' && isOurs(refund, outcome.value)) {
    if (ifNotTaken === 'redirect' && refundEvent(outcome.value.status) === 'abnormal') {
      const again = await database.refunds.redirectAgain(outRefundNo, ATTEMPT_LIFE_MS, now());
      if (again !== null) return redirect(deps, again);
      throw retryIn(1_000, 'NOT_YET', 'wechat.refund');
    }
    return recordResponse(deps, refund, outcome.value, null, acceptedAtMs ?? now());
  }
  if (outcome.kind === 'ok') return foreign(deps, refund, outcome.requestId);
  if (isAbsent(outcome) && ifNotTaken === 'send') {
    const start = await database.refunds.startAfterAbsence(outRefundNo, limits, now);
    if (start.kind === 'send') return send(deps, refund, start.attemptId);
    await database.refunds.dueAgain(outRefundNo, now() + start.delayMs, null);
    throw retryIn(start.delayMs, 'NOT_YET', 'wechat.refund');
  }
  return failed(deps, 'wechat.refund_query', refund, outcome, null);
}

/**
 * Tells WeChat where the money of an abnormal refund shall go. Where WeChat refuses that, it may have
 * gone on without us: then what it says counts, and nobody is asked again.
 */
async function redirect(
  deps: MoneyActivityDeps,
  { refund, refundId, target, attemptId }: Redirect,
): Promise<RefundStanding> {
  const { merchantId, outRefundNo } = refund;
  const request = { merchantId, outRefundNo, refundId, to: target };
  const outcome = await deps.wechatpay.applyAbnormalRefund(request);
  if (outcome.kind === 'refused') {
    const seen = await deps.wechatpay.queryRefund(refund);
    if (seen.kind === 'ok' && refundEvent(seen.value.status) !== 'abnormal') {
      const { wechatCode, requestId } = outcome;
      await deps.database.refunds.attemptEnded(
        attemptId,
        'refused',
        wechatCode,
        requestId,
        deps.now(),
      );
      return recordResponse(deps, refund, seen.value, null, deps.now());
    }
  }
  if (outcome.kind !== 'ok') return failed(deps, 'wechat.refund', refund, outcome, attemptId);
  const { requestId } = outcome;
  const attempt = { id: attemptId, requestId, operation: 'abnormal' } as const;
  return recordResponse(deps, refund, outcome.value, attempt, deps.now());
}

/** The same number can be another refund's, made by whoever used this merchant before. */
function isOurs(refund: StoredRefund, state: RefundState): boolean {
  const { transactionId, refundFen } = state;
  return (
    transactionId === refund.transactionId && (refundFen === null || refundFen === refund.refundFen)
  );
}

/** WeChat has something else under this number: it can't be sent, and only a person can go on. */
async function foreign(
  deps: MoneyActivityDeps,
  refund: StoredRefund,
  requestId: string | null,
): Promise<never> {
  await deps.database.refunds.isForeign(refund.outRefundNo, deps.now());
  const outcome: Unsettled = {
    kind: 'unknown',
    code: 'OUT_TRADE_NO_USED',
    wechatCode: null,
    detail: 'WeChat has another payment or amount under this refund number',
    status: 200,
    requestId,
  };
  return failed(deps, 'wechat.refund', refund, outcome, null);
}

/** Books what WeChat said; while it works on the refund, it is asked again ever more rarely. */
async function recordResponse(
  deps: MoneyActivityDeps,
  refund: StoredRefund,
  state: RefundState,
  attempt: AcceptedAttempt | null,
  acceptedAtMs: number,
): Promise<RefundStanding> {
  const { database, now } = deps;
  const { outRefundNo, outTradeNo } = refund;
  if (!isOurs(refund, state)) return foreign(deps, refund, attempt?.requestId ?? null);
  const event = refundEvent(state.status);
  if (event === null) throw new Error(`WeChat says ${state.status} of refund ${outRefundNo}`);
  const nextAtMs = nextQueryAt(acceptedAtMs, now(), QUERY_GAPS_MS);
  const word = {
    event,
    refundId: state.refundId,
    nextQueryAt: event === 'processing' ? new Date(nextAtMs) : null,
    evidence: { source: attempt === null ? 'query' : 'answer', refund_id: state.refundId },
  };
  const status = await database.refunds.recordReport(outRefundNo, word, attempt, now());
  if (status === 'processing') throw retryIn(nextAtMs - now(), 'NOT_YET', 'wechat.refund');
  await wakeOrderRun(outTradeNo, outRefundNo);
  return standingOf(status);
}

/**
 * The order's run tells the shop, and shows what a person is asked. Its row is due: the sweep makes good
 * what gets lost here.
 */
async function wakeOrderRun(outTradeNo: string, outRefundNo: string): Promise<void> {
  await runs.wakeOrder(outTradeNo, `refund:${outRefundNo}`).catch(() => undefined);
}

/** WeChat could not say, or refused: the policy decides; the number stays the same. */
async function failed(
  { database, now }: MoneyActivityDeps,
  operation: 'wechat.refund' | 'wechat.refund_query',
  refund: StoredRefund,
  outcome: Unsettled,
  attemptId: string | null,
): Promise<never> {
  const { outRefundNo } = refund;
  if (attemptId !== null) {
    const code = outcome.kind === 'refused' ? outcome.wechatCode : outcome.code;
    const { requestId } = outcome;
    await database.refunds.attemptEnded(attemptId, outcome.kind, code, requestId, now());
  }
  throw new OperationFailure({
    operation,
    number: outRefundNo,
    subject: outRefundNo,
    code: outcome.code,
    evidence: {
      message: outcome.kind === 'refused' ? outcome.message : outcome.detail,
      wechat_code: outcome.wechatCode,
      request_id: outcome.requestId,
      status: outcome.status,
      out_refund_no: outRefundNo,
      transaction_id: refund.transactionId,
      amount: { refund: refund.refundFen, total: refund.totalFen, currency: refund.currency },
    },
    settle: async (verdict) => {
      if (verdict.kind === 'again') {
        await database.refunds.dueAgain(outRefundNo, now() + verdict.delayMs, null);
      } else await wakeOrderRun(refund.outTradeNo, outRefundNo);
    },
  });
}
