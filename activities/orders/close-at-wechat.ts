import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import type { CloseCause, RunView } from '../../domain/orders/run-view';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import { keepFound } from './found-payment';
import { OperationFailure, retryIn } from '../retries/failures';
import { ATTEMPT_LIFE_MS, evidenceOf, type WechatActivityDeps } from '../wechat/deps';

/** WeChat took the close, but does not say closed yet; it is looked at again this often. */
const TAKEN_RETRY_MS = 15_000;
/** An order that WeChat doesn't know is looked for again this often: it may still come to be known. */
const ABSENT_RETRY_MS = 20_000;

type Seen = 'paid' | 'closed' | 'open' | 'absent';

/**
 * Closes an order at WeChat: query, close, query. A payment found on the way is kept in the inbox and
 * wins. What WeChat doesn't know counts as closed once nothing can make it known any more (P8).
 */
export async function closeAtWechat(
  deps: WechatActivityDeps,
  outTradeNo: string,
  cause: CloseCause,
): Promise<RunView | null> {
  const { database, now } = deps;
  const start = await database.closing.begin(outTradeNo, cause, now());
  if (start.kind === 'decided') return database.runs.load(outTradeNo);
  const { merchantId, absentMeansClosedAtMs } = start;
  const order = { outTradeNo, merchantId, absentMeansClosedAtMs };
  const before = await look(deps, order);
  if (before === 'paid') return database.runs.load(outTradeNo);
  if (before === 'closed') return database.closing.finish(outTradeNo, cause, now());

  const answer = await close(deps, order);
  if (answer === 'absent' && before === 'absent') {
    if (now() >= absentMeansClosedAtMs) {
      return database.closing.finish(outTradeNo, cause, now());
    }
    throw retryIn(waitMs(absentMeansClosedAtMs - now()), 'ORDER_NOT_EXIST', 'wechat.close');
  }
  const after = await look(deps, order);
  if (after === 'paid') return database.runs.load(outTradeNo);
  const absentForGood = after === 'absent' && now() >= absentMeansClosedAtMs;
  if (after === 'closed' || absentForGood) {
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
  readonly absentMeansClosedAtMs: number;
}

/** Asks WeChat how the order stands; what it can't say now is asked again later. */
async function look(deps: WechatActivityDeps, order: Order): Promise<Seen> {
  const outcome = await deps.wechatpay.query(order);
  if (outcome.kind === 'refused' && outcome.code === 'ORDER_NOT_EXIST') return 'absent';
  if (outcome.kind !== 'ok') throw failureOf(order, outcome);
  const { notice, raw } = outcome.value;
  switch (notice.tradeState) {
    case 'SUCCESS':
    case 'REFUND':
      if (await keepFound(deps, { notice, raw }, order.merchantId)) return 'paid';
      // Paid by money that is judged already and is not the order's: not for ever without a question.
      throw new OperationFailure({
        operation: 'wechat.close',
        number: order.outTradeNo,
        subject: WECHAT_SUBJECTS.close,
        code: 'NOT_YET',
        evidence: { message: 'WeChat says paid; that payment did not pay this order' },
      });
    case 'CLOSED':
    case 'REVOKED':
      return 'closed';
    case 'NOTPAY':
    case 'USERPAYING':
    case 'PAYERROR':
      return 'open';
  }
}

/** Sends one close, recorded before it goes. */
async function close(deps: WechatActivityDeps, order: Order): Promise<'sent' | 'absent'> {
  const { database, wechatpay, now } = deps;
  const { outTradeNo } = order;
  const attemptId = await database.closing.startAttempt(outTradeNo, ATTEMPT_LIFE_MS, now());
  const outcome = await wechatpay.close(order);
  const told =
    outcome.kind === 'ok'
      ? (['accepted', null] as const)
      : ([outcome.kind, outcome.kind === 'refused' ? outcome.wechatCode : outcome.code] as const);
  await database.closing.settleAttempt(
    attemptId,
    { outcome: told[0], code: told[1], requestId: outcome.requestId },
    now(),
  );
  if (outcome.kind === 'ok') return 'sent';
  if (outcome.kind === 'refused') {
    if (outcome.code === 'ORDER_NOT_EXIST') return 'absent';
    if (outcome.code === 'ORDER_PAID' || outcome.code === 'ORDER_CLOSED') return 'sent';
  }
  // Too early, too often, not allowed, or no answer: the policy knows which of them pass.
  throw failureOf(order, outcome);
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
