import type { Database } from '../../database/database';
import type { SharingTurn, StoredSharing } from '../../database/sharing/run-sharing';
import type { SharingStatus } from '../../domain/sharing/profit-sharing';
import { nextQueryAt } from '../../domain/orders/query-schedule';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import type { SharingState } from '../../providers/wechatpay/calls/profit-sharing';
import type { SharingActivities, SharingStanding } from '../../workflows/activity-contract';
import { OperationFailure, retryIn } from '../retries/failures';
import { codeOf, isAbsent, QUERY_GAPS_MS, type Attempt, type Unsettled } from '../wechat/outcomes';
import { runs } from '../runs/wake-runs';
import { ATTEMPT_LIFE_MS, evidenceOf } from '../wechat/deps';

export interface SharingActivityDeps {
  readonly database: Pick<Database, 'sharings'>;
  readonly wechatpay: Pick<WechatPayClient, 'addReceiver' | 'share' | 'querySharing' | 'unfreeze'>;
  readonly now: () => number;
}

/** Receivers are made known one after the other, as many as one attempt has time for. */
const STEPS_MS = 20_000;

/** Money that others get of a payment, and the rest that is unfrozen. */
export function createSharingActivities(deps: SharingActivityDeps) {
  const { database, now } = deps;
  return {
    async settleSharing(outOrderNo) {
      const untilMs = now() + STEPS_MS;
      while (now() < untilMs) {
        const turn = await database.sharings.turn(outOrderNo, ATTEMPT_LIFE_MS, now());
        if (turn.kind !== 'register') return act(deps, outOrderNo, turn);
        await register(deps, turn);
      }
      throw retryIn(1, 'NOT_YET', 'wechat.sharing');
    },

    async lookAtSharing(outOrderNo) {
      const { status, sharing, acceptedAtMs } = await database.sharings.underWay(outOrderNo);
      if (!sharing) return standingOf(status, 'under_way');
      const outcome = await deps.wechatpay.querySharing(sharing);
      // It was only a hint: the run asks again at its time.
      if (outcome.kind !== 'ok') return 'under_way';
      const recordResponse = await book(deps, sharing, outcome.value, null, acceptedAtMs);
      return recordResponse === 'differs' ? 'under_way' : standingOf(recordResponse, 'under_way');
    },
  } satisfies SharingActivities;
}

function standingOf(
  status: SharingStatus | 'unknown_sharing',
  open: 'under_way' | 'person_needed',
): SharingStanding {
  switch (status) {
    case 'finished':
    case 'closed':
    case 'unknown_sharing':
      return status;
    case 'pending':
    case 'processing':
      return open;
  }
}

async function act(
  deps: SharingActivityDeps,
  outOrderNo: string,
  turn: Exclude<SharingTurn, { kind: 'register' }>,
): Promise<SharingStanding> {
  switch (turn.kind) {
    case 'over':
      return standingOf(turn.status, 'person_needed');
    case 'wait':
      await deps.database.sharings.dueAgain(outOrderNo, deps.now() + turn.delayMs);
      throw retryIn(turn.delayMs, 'NOT_YET', 'wechat.sharing');
    case 'send':
      return send(deps, turn.sharing, turn.attemptId);
    case 'ask':
      return ask(deps, turn);
  }
}

async function register(
  deps: SharingActivityDeps,
  { sharing, receiver, attemptId }: SharingTurn & { kind: 'register' },
): Promise<void> {
  const { merchantId, appId, outOrderNo } = sharing;
  const { type, account, name, relationType } = receiver;
  const request = { merchantId, appId, type, account, name, relationType, outOrderNo };
  const outcome = await deps.wechatpay.addReceiver(request);
  if (outcome.kind !== 'ok') {
    return failed(deps, 'wechat.sharing', sharing, outcome, attemptId, { line: receiver.line });
  }
  const { requestId } = outcome;
  await deps.database.sharings.registered(receiver.id, { id: attemptId, requestId }, deps.now());
}

/** Sends the sharing; a repeat is the same content under the same number (P8). */
async function send(
  deps: SharingActivityDeps,
  sharing: StoredSharing,
  attemptId: string,
): Promise<SharingStanding> {
  const outcome = await callFor(deps, sharing);
  if (outcome.kind !== 'ok') return failed(deps, 'wechat.sharing', sharing, outcome, attemptId);
  return recordResponse(deps, sharing, outcome, attemptId, null);
}

/** The rest is unfrozen by a request of its own, when it is known what became of the receivers. */
function callFor(
  { wechatpay }: SharingActivityDeps,
  sharing: StoredSharing,
): Promise<WechatOutcome<SharingState>> {
  return sharing.kind === 'unfreeze'
    ? wechatpay.unfreeze(sharing)
    : wechatpay.share({ ...sharing, unfreezeUnsplit: false });
}

/** Asks first: after an unknown attempt WeChat may have it, or it works on it. */
async function ask(
  deps: SharingActivityDeps,
  { sharing, acceptedAtMs, mayBeAbsent }: SharingTurn & { kind: 'ask' },
): Promise<SharingStanding> {
  const outcome = await deps.wechatpay.querySharing(sharing);
  if (outcome.kind === 'ok') return recordResponse(deps, sharing, outcome, null, acceptedAtMs);
  if (isAbsent(outcome) && mayBeAbsent) {
    const { database, now } = deps;
    const { outOrderNo } = sharing;
    const attemptId = await database.sharings.startAfterAbsence(outOrderNo, ATTEMPT_LIFE_MS, now());
    if (attemptId !== null) return send(deps, sharing, attemptId);
    throw retryIn(1_000, 'NOT_YET', 'wechat.sharing');
  }
  return failed(deps, 'wechat.sharing_query', sharing, outcome, null);
}

/** Books what WeChat said; while it works on the sharing, it is asked again ever more rarely. */
async function recordResponse(
  deps: SharingActivityDeps,
  sharing: StoredSharing,
  outcome: WechatOutcome<SharingState> & { kind: 'ok' },
  attemptId: string | null,
  acceptedAtMs: number | null,
): Promise<SharingStanding> {
  const { now } = deps;
  const { value, requestId } = outcome;
  const attempt = attemptId === null ? null : { id: attemptId, requestId };
  const status = await book(deps, sharing, value, attempt, acceptedAtMs);
  if (status === 'differs') return foreign(deps, sharing, requestId);
  if (status === 'processing') {
    const nextAtMs = nextQueryAt(acceptedAtMs ?? now(), now(), QUERY_GAPS_MS);
    throw retryIn(nextAtMs - now(), 'NOT_YET', 'wechat.sharing');
  }
  return standingOf(status, 'person_needed');
}

async function book(
  { database, now }: SharingActivityDeps,
  { outOrderNo, outTradeNo }: StoredSharing,
  state: SharingState,
  attempt: Attempt | null,
  acceptedAtMs: number | null,
): Promise<SharingStatus | 'unknown_sharing' | 'differs'> {
  const word = {
    orderId: state.orderId,
    finished: state.state === 'FINISHED',
    receivers: state.receivers,
    nextQueryAt: new Date(nextQueryAt(acceptedAtMs ?? now(), now(), QUERY_GAPS_MS)),
    source: attempt === null ? ('query' as const) : ('answer' as const),
  };
  const heardOf = await database.sharings.recordReport(outOrderNo, word, attempt, now());
  if (heardOf.kind === 'differs') return 'differs';
  const { status, rest } = heardOf;
  if (status !== 'processing') {
    // The order's run shows what a person is asked; the rows are due should this get lost.
    await Promise.allSettled([
      runs.wakeOrder(outTradeNo, `sharing:${outOrderNo}`),
      ...(rest === null ? [] : [runs.wakeSharing(rest)]),
    ]);
  }
  return status;
}

/** WeChat has other content under this number: somebody else has used it. */
function foreign(
  deps: SharingActivityDeps,
  sharing: StoredSharing,
  requestId: string | null,
): Promise<never> {
  const outcome: Unsettled = {
    kind: 'unknown',
    code: 'OUT_TRADE_NO_USED',
    wechatCode: null,
    detail: 'WeChat has other receivers or amounts under this number',
    status: 200,
    requestId,
  };
  return failed(deps, 'wechat.sharing_query', sharing, outcome, null);
}

/** WeChat could not say, or refused: the policy decides; the number stays the same. */
async function failed(
  { database, now }: SharingActivityDeps,
  operation: 'wechat.sharing' | 'wechat.sharing_query',
  sharing: StoredSharing,
  outcome: Unsettled,
  attemptId: string | null,
  more: { readonly line?: number } = {},
): Promise<never> {
  const { outOrderNo, outTradeNo } = sharing;
  if (attemptId !== null) {
    const { kind, requestId } = outcome;
    await database.sharings.attemptEnded(attemptId, kind, codeOf(outcome), requestId, now());
  }
  throw new OperationFailure({
    operation,
    number: outOrderNo,
    subject: outOrderNo,
    code: outcome.code,
    evidence: {
      ...evidenceOf(outcome),
      out_order_no: outOrderNo,
      transaction_id: sharing.transactionId,
      amount: sharing.receivers.reduce((sum, { amountFen }) => sum + amountFen, 0),
      ...more,
    },
    settle: async (verdict) => {
      if (verdict.kind === 'again') {
        await database.sharings.dueAgain(outOrderNo, now() + verdict.delayMs);
      } else await runs.wakeOrder(outTradeNo, `sharing:${outOrderNo}`).catch(() => undefined);
    },
  });
}
