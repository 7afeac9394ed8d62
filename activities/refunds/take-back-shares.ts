// Describes the take-back of a share (WeChat's 分账回退) as a numbered request to WeChat.
import type { Database } from '../../database/database';
import type { TakeBackTurn } from '../../database/refunds/take-back-shares';
import type { StoredShareReturn } from '../../database/sharing/lock-share-returns';
import type { SharingReturnState } from '../../providers/wechatpay/calls/profit-sharing';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { ATTEMPT_LIFE_MS } from '../wechat/deps';
import {
  takeNumberedTurn,
  type NumberedReport,
  type NumberedRequestKind,
  type Recorded,
} from '../wechat/numbered-request';
import { wakeOrderRun } from './refund-request';

export interface TakeBackDeps {
  readonly database: Pick<Database, 'shareReturns' | 'refunds'>;
  readonly wechatpay: Pick<WechatPayClient, 'returnShared' | 'queryReturn'>;
  readonly now: () => number;
}

/** Shown to the receiver that returns its share. */
const DESCRIPTION = 'refund';
/** After a take-back that is settled the next one follows at once, or the refund itself. */
const AT_ONCE_MS = 1;
/**
 * A take-back that WeChat doesn't have and that is not sent again: the run looks again after this.
 */
const UNSENT_MS = 5_000;

/**
 * Takes a share back before its refund is sent. Each attempt ends with a retry: the refund's run
 * then takes its next turn.
 */
export function takeBackShare(
  deps: TakeBackDeps,
  { turn }: Extract<TakeBackTurn, { kind: 'take_back' }>,
): Promise<never> {
  return takeNumberedTurn(takeBackRequest(deps), turn.request.outRefundNo, turn);
}

/** Its failures are counted by the refund's number, whose run makes the attempts. */
function takeBackRequest(
  deps: TakeBackDeps,
): NumberedRequestKind<StoredShareReturn, SharingReturnState, never> {
  const { database, wechatpay, now } = deps;
  return {
    operations: { send: 'wechat.return', query: 'wechat.return', foreign: 'wechat.return' },
    foreignDetail: 'WeChat has another amount or receiver under this number',
    now,
    failure: ({ outReturnNo, outRefundNo, transactionId, amountFen }) => ({
      number: outRefundNo,
      subject: outReturnNo,
      evidence: {
        out_refund_no: outRefundNo,
        out_return_no: outReturnNo,
        transaction_id: transactionId,
        amount: amountFen,
      },
    }),
    send: ({ merchantId, outOrderNo, outReturnNo, returnMchid, amountFen }) =>
      wechatpay.returnShared({
        merchantId,
        outOrderNo,
        outReturnNo,
        returnMerchantId: returnMchid,
        amountFen,
        description: DESCRIPTION,
      }),
    query: (shareReturn) => wechatpay.queryReturn(shareReturn),
    async startAfterAbsence(shareReturn) {
      const { shareReturns } = database;
      const attemptId = await shareReturns.startAfterAbsence(shareReturn, ATTEMPT_LIFE_MS, now());
      return attemptId === null
        ? { kind: 'wait', delayMs: UNSENT_MS }
        : { kind: 'send', attemptId };
    },
    endAttempt: (attempt) => database.shareReturns.endAttempt(attempt, now()),
    recordReport: (shareReturn, report) => recordReport(deps, shareReturn, report),
    dueAgain: (outRefundNo, atMs) => database.refunds.dueAgain(outRefundNo, atMs),
    wakeOrderRun: ({ outTradeNo, outRefundNo }) => wakeOrderRun(outTradeNo, outRefundNo),
  };
}

/**
 * True when WeChat's return is ours: another program of this merchant may have used the number
 * before.
 */
function isOurs(shareReturn: StoredShareReturn, state: SharingReturnState): boolean {
  const { amountFen, returnMchid } = shareReturn;
  return (
    (state.amountFen ?? amountFen) === amountFen &&
    (state.returnMerchantId ?? returnMchid) === returnMchid
  );
}

/** True when the response is about our numbers; one that names none is. */
function isAsked(
  { outReturnNo, outOrderNo }: StoredShareReturn,
  state: SharingReturnState,
): boolean {
  return (
    (state.outReturnNo ?? outReturnNo) === outReturnNo &&
    (state.outOrderNo ?? outOrderNo) === outOrderNo
  );
}

async function recordReport(
  { database, now }: TakeBackDeps,
  shareReturn: StoredShareReturn,
  { state, attempt, nextQueryAtMs }: NumberedReport<SharingReturnState>,
): Promise<Recorded<never>> {
  const { outTradeNo, outRefundNo } = shareReturn;
  if (!isAsked(shareReturn, state)) return { kind: 'foreign' };
  if (!isOurs(shareReturn, state)) {
    await database.shareReturns.refuseForeignAttempts(shareReturn, now());
    return { kind: 'foreign' };
  }
  const { result, returnId, failReason } = state;
  if (result === null) return { kind: 'unknown_state', reported: state.reportedResult };
  const report = { result, returnId, failReason, nextQueryAt: new Date(nextQueryAtMs) };
  await database.shareReturns.recordReport(shareReturn, report, attempt, now());
  if (result === 'FAILED') await wakeOrderRun(outTradeNo, outRefundNo);
  const delayMs = result === 'PROCESSING' ? nextQueryAtMs - now() : AT_ONCE_MS;
  await database.refunds.dueAgain(outRefundNo, now() + delayMs);
  return { kind: 'again', delayMs };
}
