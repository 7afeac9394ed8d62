// Describes a profit sharing, and an unfreeze, as a numbered request to WeChat.
import type { Database } from '../../database/database';
import type { ReportedReceiver } from '../../database/sharing/record-sharing-report';
import type { StoredSharing } from '../../database/sharing/take-sharing-turn';
import type { SharingStatus } from '../../domain/sharing/profit-sharing';
import type { SharingState } from '../../providers/wechatpay/calls/profit-sharing';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { SharingStanding } from '../../workflows/activity-contract';
import { wakeOrLeaveToSweep } from '../runs/wake-or-leave-to-sweep';
import { runs } from '../runs/wake-runs';
import { ATTEMPT_LIFE_MS } from '../wechat/deps';
import type { NumberedReport, NumberedRequestKind, Recorded } from '../wechat/numbered-request';

export interface SharingRequestDeps {
  readonly database: Pick<Database, 'sharings'>;
  readonly wechatpay: Pick<WechatPayClient, 'share' | 'querySharing' | 'unfreeze'>;
  readonly now: () => number;
}

export type SharingRequestKind = NumberedRequestKind<StoredSharing, SharingState, SharingStanding>;

/**
 * A sharing that WeChat doesn't have and that isn't pending here: the run looks again after this.
 */
const UNSENT_MS = 1_000;

/** Makes the description of a sharing. */
export function sharingRequest(deps: SharingRequestDeps): SharingRequestKind {
  const { database, wechatpay, now } = deps;
  return {
    operations: {
      send: 'wechat.sharing',
      query: 'wechat.sharing_query',
      foreign: 'wechat.sharing_query',
    },
    foreignDetail: 'WeChat has other receivers or amounts under this number',
    now,
    failure: ({ outOrderNo, transactionId, receivers }) => ({
      number: outOrderNo,
      subject: outOrderNo,
      evidence: {
        out_order_no: outOrderNo,
        transaction_id: transactionId,
        amount: receivers.reduce((sum, { amountFen }) => sum + amountFen, 0),
      },
    }),
    // The rest is unfrozen by a request of its own, once each receiver has a result.
    send: (sharing) =>
      sharing.kind === 'unfreeze'
        ? wechatpay.unfreeze(sharing)
        : wechatpay.share({ ...sharing, unfreezeUnsplit: false }),
    query: (sharing) => wechatpay.querySharing(sharing),
    async startAfterAbsence({ outOrderNo }) {
      const { sharings } = database;
      const attemptId = await sharings.startAfterAbsence(outOrderNo, ATTEMPT_LIFE_MS, now());
      return attemptId === null
        ? { kind: 'wait', delayMs: UNSENT_MS }
        : { kind: 'send', attemptId };
    },
    endAttempt: (attempt) => database.sharings.endAttempt(attempt, now()),
    recordReport: (sharing, report) => recordReport(deps, sharing, report),
    dueAgain: (outOrderNo, atMs) => database.sharings.dueAgain(outOrderNo, atMs),
    wakeOrderRun: ({ outTradeNo, outOrderNo }) => wakeOrderRun(outTradeNo, outOrderNo),
  };
}

async function recordReport(
  { database, now }: SharingRequestDeps,
  { outOrderNo, outTradeNo, transactionId }: StoredSharing,
  { state, attempt, nextQueryAtMs }: NumberedReport<SharingState>,
): Promise<Recorded<SharingStanding>> {
  const isAsked = (state.outOrderNo ?? outOrderNo) === outOrderNo;
  if (!isAsked || (state.transactionId ?? transactionId) !== transactionId) {
    return { kind: 'foreign' };
  }
  const receivers = knownReceivers(state);
  if (receivers === null) return { kind: 'unknown_state', reported: reportedState(state) };
  const report = {
    orderId: state.orderId,
    finished: state.state === 'FINISHED',
    receivers,
    nextQueryAt: new Date(nextQueryAtMs),
    source: attempt === null ? ('query' as const) : ('answer' as const),
  };
  const recorded = await database.sharings.recordReport(outOrderNo, report, attempt, now());
  if (recorded.kind === 'differs') return { kind: 'foreign' };
  const { status, rest } = recorded;
  if (status === 'processing') return { kind: 'again', delayMs: nextQueryAtMs - now() };
  await Promise.all([
    wakeOrderRun(outTradeNo, outOrderNo),
    ...(rest === null ? [] : [wakeOrLeaveToSweep(runs.wakeSharing(rest))]),
  ]);
  return { kind: 'ended', standing: standingOf(status, 'person_needed') };
}

/** null when WeChat reports a state, or of any receiver a result, that Oncepay doesn't know. */
function knownReceivers({ state, receivers }: SharingState): ReportedReceiver[] | null {
  if (state === null) return null;
  const known = receivers.flatMap((receiver) => {
    const result = receiver?.result ?? null;
    return receiver === null || result === null ? [] : [{ ...receiver, result }];
  });
  return known.length === receivers.length ? known : null;
}

/** The first state or result that Oncepay doesn't know, as WeChat wrote it. */
function reportedState({ state, reportedState: text, receivers }: SharingState): string | null {
  if (state === null) return text;
  return receivers.find((receiver) => receiver?.result === null)?.reportedResult ?? null;
}

/**
 * How a sharing stands for its run.
 * @param open what to call a sharing that has not ended
 */
export function standingOf(
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

/** Wakes the order's run: it sends the shop's webhook, and shows the intervention. */
function wakeOrderRun(outTradeNo: string, outOrderNo: string): Promise<void> {
  return wakeOrLeaveToSweep(runs.wakeOrder(outTradeNo, `sharing:${outOrderNo}`));
}
