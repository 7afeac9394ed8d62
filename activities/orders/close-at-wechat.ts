// Closes an order at WeChat.
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import type { CloseCause, RunView } from '../../domain/orders/run-view';
import { isForeignPayment } from '../../domain/payments/match-payment';
import type { PaymentNotice } from '../../domain/payments/notices';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import { storeFoundPayment } from './store-found-payment';
import { OperationFailure, retryIn } from '../retries/failures';
import { ATTEMPT_LIFE_MS, evidenceOf, type WechatActivityDeps } from '../wechat/deps';

/** WeChat accepted the close but does not report the order as closed: it is queried this often. */
const TAKEN_RETRY_MS = 15_000;
/** While money of the order is unclear, the close waits, and looks this often. */
const PAUSED_RETRY_MS = 15_000;
/** An order that WeChat doesn't know is queried this often: a prepay may still arrive there. */
const ABSENT_RETRY_MS = 20_000;

type StateAtWechat =
  | { readonly kind: 'paid' | 'closed' | 'open' | 'absent' }
  /** A state that Oncepay doesn't know. */
  | { readonly kind: 'unknown'; readonly reported: string | null };

/**
 * Closes an order at WeChat: query, close, query. When WeChat reports a payment on the way, it is
 * stored in the inbox and the order stays open for it. An order that WeChat doesn't know counts as
 * closed as soon as no earlier request can make it known any more (P8). A report of WeChat that the
 * order is closed closes nothing by itself: WeChat is only queried, and has to say it again.
 * @returns the view after the close; null when the number is not one of our orders
 * @throws OperationFailure or a delayed retry while the order is still open at WeChat
 */
export async function closeAtWechat(
  deps: WechatActivityDeps,
  outTradeNo: string,
  cause: CloseCause,
): Promise<RunView | null> {
  const { database, now } = deps;
  const start = await database.closing.begin(outTradeNo, cause, now());
  if (start.kind === 'decided') return database.runs.load(outTradeNo);
  if (start.kind === 'paused') throw retryIn(PAUSED_RETRY_MS, 'NOT_YET', 'wechat.close');
  const { merchantId, appId, absentMeansClosedAtMs } = start;
  const order = { outTradeNo, merchantId, appId, absentMeansClosedAtMs };
  const before = await queryState(deps, order);
  if (before.kind === 'paid') return database.runs.load(outTradeNo);
  if (before.kind === 'closed') return database.closing.finish(outTradeNo, cause, now());
  if (cause === 'closed_at_wechat') return database.runs.load(outTradeNo);

  const sent = await close(deps, order, before);
  if (sent === 'absent' && before.kind === 'absent') {
    if (now() >= absentMeansClosedAtMs) {
      return database.closing.finish(outTradeNo, cause, now());
    }
    throw retryIn(waitMs(absentMeansClosedAtMs - now()), 'ORDER_NOT_EXIST', 'wechat.close');
  }
  const after = await queryState(deps, order);
  if (after.kind === 'paid') return database.runs.load(outTradeNo);
  const absentForGood = after.kind === 'absent' && now() >= absentMeansClosedAtMs;
  // WeChat took the close: whatever it calls the state, nobody can pay the order any more.
  const isTaken = after.kind === 'unknown' && sent === 'taken';
  if (after.kind === 'closed' || absentForGood || isTaken) {
    return database.closing.finish(outTradeNo, cause, now());
  }
  throw retryIn(TAKEN_RETRY_MS, 'NOT_YET', 'wechat.close');
}

function waitMs(leftMs: number): number {
  return Math.min(Math.max(leftMs, 1_000), ABSENT_RETRY_MS);
}

interface Order {
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly appId: string;
  readonly absentMeansClosedAtMs: number;
}

/**
 * Queries WeChat for the state of the order.
 * @throws OperationFailure when WeChat does not report it now
 */
async function queryState(deps: WechatActivityDeps, order: Order): Promise<StateAtWechat> {
  const outcome = await deps.wechatpay.query(order);
  if (outcome.kind === 'refused' && outcome.code === 'ORDER_NOT_EXIST') return { kind: 'absent' };
  if (outcome.kind !== 'ok') throw failureOf(order, outcome);
  const { notice, raw } = outcome.value;
  switch (notice.tradeState) {
    case 'SUCCESS':
    case 'REFUND':
      if (await isDismissedForeign(deps, order, notice)) return { kind: 'closed' };
      if (await storeFoundPayment(deps, { notice, raw }, order.merchantId)) return { kind: 'paid' };
      // The payment has a verdict already and did not pay this order. The retry budget bounds the
      // wait: when it is spent, an intervention is opened.
      throw new OperationFailure({
        operation: 'wechat.close',
        number: order.outTradeNo,
        subject: WECHAT_SUBJECTS.close,
        code: 'NOT_YET',
        evidence: {
          message:
            'WeChat reports the order as paid, but that payment did not pay it: compare both',
        },
      });
    case 'CLOSED':
    case 'REVOKED':
      return { kind: 'closed' };
    case 'NOTPAY':
    case 'USERPAYING':
    case 'PAYERROR':
      return { kind: 'open' };
    case null:
      return { kind: 'unknown', reported: notice.reportedState };
  }
}

/**
 * True for foreign money that a person dismissed. It is safe to close then: money of ours that
 * still comes is late, and goes back. The same transaction with our appid is this order's payment.
 */
async function isDismissedForeign(
  { database }: WechatActivityDeps,
  order: Order,
  notice: PaymentNotice,
): Promise<boolean> {
  const { outTradeNo } = order;
  if (!isForeignPayment(order, notice)) return false;
  return database.queries.isDismissed(outTradeNo, notice.transactionId);
}

/**
 * Sends one close to WeChat; its attempt is recorded first.
 * @returns `taken` when WeChat took it or has closed the order before
 */
async function close(
  deps: WechatActivityDeps,
  order: Order,
  before: StateAtWechat,
): Promise<'taken' | 'paid' | 'absent'> {
  const { database, wechatpay, now } = deps;
  const { outTradeNo } = order;
  const attemptId = await database.closing.startAttempt(outTradeNo, ATTEMPT_LIFE_MS, now());
  const outcome = await wechatpay.close(order);
  const [result, code] =
    outcome.kind === 'ok'
      ? (['accepted', null] as const)
      : ([outcome.kind, outcome.kind === 'refused' ? outcome.wechatCode : outcome.code] as const);
  await database.closing.settleAttempt(
    attemptId,
    { outcome: result, code, requestId: outcome.requestId },
    now(),
  );
  if (outcome.kind === 'ok') return 'taken';
  if (outcome.kind === 'refused') {
    if (outcome.code === 'ORDER_NOT_EXIST') return 'absent';
    if (outcome.code === 'ORDER_CLOSED') return 'taken';
    if (outcome.code === 'ORDER_PAID') return 'paid';
    if (before.kind === 'unknown') throw refusedInUnknownState(order, before.reported, outcome);
  }
  // Too early, too often, not allowed, or no response: the retry policy says which of them may
  // pass.
  throw failureOf(order, outcome);
}

/** WeChat reports no state that we know, nor closes the order: opens an intervention, goes on. */
function refusedInUnknownState(
  { outTradeNo }: Order,
  reportedState: string | null,
  outcome: Extract<WechatOutcome<unknown>, { kind: 'refused' }>,
): OperationFailure {
  return new OperationFailure({
    operation: 'wechat.query',
    number: outTradeNo,
    subject: WECHAT_SUBJECTS.query,
    code: outcome.code,
    evidence: { ...evidenceOf(outcome), trade_state: reportedState },
    afterSpent: { delayMs: TAKEN_RETRY_MS },
  });
}

function failureOf(
  { outTradeNo }: Order,
  outcome: Exclude<WechatOutcome<unknown>, { kind: 'ok' }>,
): OperationFailure {
  return new OperationFailure({
    operation: 'wechat.close',
    number: outTradeNo,
    subject: WECHAT_SUBJECTS.close,
    code: outcome.code,
    evidence: evidenceOf(outcome),
  });
}
