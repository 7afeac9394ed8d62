import type { Database } from '../../database/database';
import type { TakeBackTurn, StoredShareReturn } from '../../database/refunds/take-back-shares';
import { nextQueryAt } from '../../domain/orders/query-schedule';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { SharingReturnState } from '../../providers/wechatpay/calls/profit-sharing';
import { OperationFailure, retryIn } from '../retries/failures';
import { codeOf, isAbsent, QUERY_GAPS_MS, type Attempt, type Unsettled } from '../wechat/outcomes';
import { runs } from '../runs/wake-runs';
import { ATTEMPT_LIFE_MS, evidenceOf } from '../wechat/deps';

export interface TakeBackDeps {
  readonly database: Pick<Database, 'shareReturns' | 'refunds'>;
  readonly wechatpay: Pick<WechatPayClient, 'returnShared' | 'queryReturn'>;
  readonly now: () => number;
}

/** Shown to the receiver that gives back. */
const DESCRIPTION = 'refund';
/** What is settled is followed at once by the next: another take-back, or the refund itself. */
const AT_ONCE_MS = 1;
/** What WeChat doesn't have and is not to be sent again is looked at after this. */
const UNSENT_MS = 5_000;

/** Takes shared money back before its refund is sent. Each attempt ends by coming round again. */
export async function takeBackShare(
  deps: TakeBackDeps,
  turn: Extract<TakeBackTurn, { kind: 'return_send' | 'return_ask' }>,
): Promise<never> {
  const { back } = turn;
  if (turn.kind === 'return_send') return send(deps, back, turn.attemptId);
  const outcome = await deps.wechatpay.queryReturn(back);
  if (outcome.kind === 'ok' && !isOurs(back, outcome.value)) {
    return foreign(deps, back, outcome.requestId);
  }
  if (outcome.kind === 'ok') {
    return recordResponse(deps, back, outcome.value, null, turn.acceptedAtMs ?? deps.now());
  }
  if (!isAbsent(outcome) || !turn.mayBeAbsent) return failed(deps, back, outcome, null);
  const { database, now } = deps;
  const attemptId = await database.shareReturns.startAfterAbsence(back, ATTEMPT_LIFE_MS, now());
  if (attemptId !== null) return send(deps, back, attemptId);
  throw retryIn(UNSENT_MS, 'NOT_YET', 'wechat.return');
}

/** Somebody else may have used the number, or we did, for what we no longer know of. */
function isOurs(back: StoredShareReturn, state: SharingReturnState): boolean {
  return state.amountFen === back.amountFen && state.returnMerchantId === back.returnMchid;
}

async function foreign(
  deps: TakeBackDeps,
  back: StoredShareReturn,
  requestId: string | null,
): Promise<never> {
  await deps.database.shareReturns.isForeign(back.outReturnNo, deps.now());
  const outcome: Unsettled = {
    kind: 'unknown',
    code: 'OUT_TRADE_NO_USED',
    wechatCode: null,
    detail: 'WeChat has another amount or receiver under this number',
    status: 200,
    requestId,
  };
  return failed(deps, back, outcome, null);
}

/** Sends it; a repeat is the same bytes under the same number: a new one takes back twice (P8). */
async function send(deps: TakeBackDeps, back: StoredShareReturn, attemptId: string): Promise<never> {
  const { merchantId, outOrderNo, outReturnNo, returnMchid, amountFen } = back;
  const outcome = await deps.wechatpay.returnShared({
    merchantId,
    outOrderNo,
    outReturnNo,
    returnMerchantId: returnMchid,
    amountFen,
    description: DESCRIPTION,
  });
  if (outcome.kind !== 'ok') return failed(deps, back, outcome, attemptId);
  if (!isOurs(back, outcome.value)) return foreign(deps, back, outcome.requestId);
  const attempt = { id: attemptId, requestId: outcome.requestId };
  return recordResponse(deps, back, outcome.value, attempt, deps.now());
}

async function recordResponse(
  { database, now }: TakeBackDeps,
  back: StoredShareReturn,
  state: SharingReturnState,
  attempt: Attempt | null,
  acceptedAtMs: number,
): Promise<never> {
  const nextAtMs = nextQueryAt(acceptedAtMs, now(), QUERY_GAPS_MS);
  const { result, returnId, failReason } = state;
  const word = { result, returnId, failReason, nextQueryAt: new Date(nextAtMs) };
  await database.shareReturns.recordReport(back, word, attempt, now());
  if (result === 'FAILED') await wakeOrderRun(back);
  const delayMs = result === 'PROCESSING' ? nextAtMs - now() : AT_ONCE_MS;
  await database.refunds.dueAgain(back.outRefundNo, now() + delayMs, null);
  throw retryIn(delayMs, 'NOT_YET', 'wechat.return');
}

/** Its run shows what a person is asked; the question's row doesn't need that. */
async function wakeOrderRun({ outTradeNo, outRefundNo }: StoredShareReturn): Promise<void> {
  await runs.wakeOrder(outTradeNo, `refund:${outRefundNo}`).catch(() => undefined);
}

async function failed(
  { database, now }: TakeBackDeps,
  back: StoredShareReturn,
  outcome: Unsettled,
  attemptId: string | null,
): Promise<never> {
  const { outReturnNo, outRefundNo } = back;
  if (attemptId !== null) {
    const { kind, requestId } = outcome;
    await database.shareReturns.attemptEnded(attemptId, kind, codeOf(outcome), requestId, now());
  }
  throw new OperationFailure({
    operation: 'wechat.return',
    number: outRefundNo,
    subject: outReturnNo,
    code: outcome.code,
    evidence: {
      ...evidenceOf(outcome),
      out_refund_no: outRefundNo,
      out_return_no: outReturnNo,
      transaction_id: back.transactionId,
      amount: back.amountFen,
    },
    settle: async (verdict) => {
      if (verdict.kind === 'again') {
        await database.refunds.dueAgain(outRefundNo, now() + verdict.delayMs, null);
      } else await wakeOrderRun(back);
    },
  });
}
