import { Context } from '@temporalio/activity';
import { ERRORS } from '../domain/error-catalogue';
import type { CloseCause, RunView } from '../domain/run-view';
import type { WechatOutcome } from '../wechatpay/outcome';
import { retryByPolicy, retryIn } from './failures';
import { ATTEMPT_LIFE_MS, isOfSettings, type WechatActivityDeps } from './wechat-deps';

/** WeChat may refuse a close within some minutes of the prepay; it is tried again this often. */
const TOO_EARLY_RETRY_MS = 15_000;
/** Refusals in a row (of no known reason) before a person is asked: some 15 min, three times WeChat's own rule. */
const MAX_REFUSALS = 60;
/** An order that WeChat doesn't know is looked for again this often: it may still come to be known. */
const ABSENT_RETRY_MS = 20_000;
/** WeChat has not said anything definite for this long after the order's time: a person should know. */
const SILENCE_MS = 30 * 60_000;
/** A payment that is in question holds the close back; looked at again this often. */
const HELD_RETRY_MS = 60_000;

type Refused = WechatOutcome<unknown> & { kind: 'refused' };
type Undecided = WechatOutcome<unknown> & { kind: 'unknown' };
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
  if (before === 'person') return database.runs.load(outTradeNo);
  if (before === 'closed') return database.closing.finish(outTradeNo, cause, now());

  const answer = await close(deps, order);
  if (answer === 'person') return database.runs.load(outTradeNo);
  if (answer === 'absent' && before === 'absent') {
    if (now() >= absentMeansClosedAtMs) {
      return database.closing.finish(outTradeNo, cause, now());
    }
    throw retryIn(waitMs(absentMeansClosedAtMs - now()), 'ORDER_NOT_EXIST', 'wechat.close');
  }
  const after = await look(deps, order);
  if (after === 'paid' || after === 'person') return database.runs.load(outTradeNo);
  const absentForGood = after === 'absent' && now() >= absentMeansClosedAtMs;
  if (after === 'closed' || absentForGood) {
    return database.closing.finish(outTradeNo, cause, now());
  }
  throw retryIn(TOO_EARLY_RETRY_MS, 'NOT_YET', 'wechat.close');
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
async function look(deps: WechatActivityDeps, order: Order): Promise<Seen | 'person'> {
  const { database, wechatpay, now } = deps;
  const outcome = await wechatpay.query(order);
  if (outcome.kind === 'unknown') return undecided(deps, order, outcome);
  if (outcome.kind === 'refused') {
    if (outcome.code === 'ORDER_NOT_EXIST') return 'absent';
    return refusedForNow(deps, order.outTradeNo, outcome);
  }
  const { notice, raw } = outcome.value;
  switch (notice.tradeState) {
    case 'SUCCESS':
    case 'REFUND':
      if (await database.queries.keepFound(notice, raw, order.merchantId, now())) return 'paid';
      throw retryIn(HELD_RETRY_MS, 'NOT_YET', 'wechat.close');
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
async function close(
  deps: WechatActivityDeps,
  order: Order,
): Promise<'sent' | 'absent' | 'person'> {
  const { database, wechatpay, now } = deps;
  const { outTradeNo } = order;
  const attemptId = await database.closing.startAttempt(outTradeNo, ATTEMPT_LIFE_MS, now());
  const outcome = await wechatpay.close(order);
  const told =
    outcome.kind === 'ok'
      ? (['accepted', null] as const)
      : ([outcome.kind, outcome.kind === 'refused' ? outcome.wechatCode : outcome.code] as const);
  await database.closing.settleAttempt(attemptId, told[0], told[1], outcome.requestId, now());
  if (outcome.kind === 'ok') return 'sent';
  if (outcome.kind === 'unknown') return undecided(deps, order, outcome);
  switch (outcome.code) {
    case 'ORDER_NOT_EXIST':
      return 'absent';
    case 'ORDER_PAID':
    case 'ORDER_CLOSED':
      return 'sent';
    default:
      return refusedForNow(deps, outTradeNo, outcome);
  }
}

/** Too early, too often, or not allowed: only the last, or a refusal without end, needs a person. */
async function refusedForNow(
  { database, now }: WechatActivityDeps,
  outTradeNo: string,
  outcome: Refused,
): Promise<'person'> {
  const passing =
    ERRORS[outcome.code].retry ||
    (!isOfSettings(outcome.code) && (await database.closing.refusals(outTradeNo)) < MAX_REFUSALS);
  if (passing) throw retryIn(TOO_EARLY_RETRY_MS, outcome.code, 'wechat.close');
  await database.closing.failed(outTradeNo, 'close', outcome, now());
  return 'person';
}

/**
 * WeChat could not say. It is asked again; when that has lasted long after nobody could pay any more, a
 * person hears of it, and the asking goes on.
 */
async function undecided(
  { database, now }: WechatActivityDeps,
  order: Order,
  outcome: Undecided,
): Promise<never> {
  const { attempt } = Context.current().info;
  if (now() > order.absentMeansClosedAtMs + SILENCE_MS) {
    const { code, detail, requestId } = outcome;
    const refusal = { code, wechatCode: code, message: detail, requestId };
    await database.closing.failed(order.outTradeNo, 'close', refusal, now());
  }
  throw retryByPolicy('wechat.close', attempt, outcome.code);
}
