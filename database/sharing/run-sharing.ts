import {
  isSharingSettled,
  type SharingKind,
  type SharingStatus,
} from '../../domain/sharing/profit-sharing';
import { type AttemptOutcome } from '../core/attempt-outcome';
import { DUE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import {
  MAYBE_TAKEN,
  settleAbsentAttempts,
  settleSharingAttempt,
  startSharingAttempt,
} from './sharing-attempts';
import { recordSharingReport, type RecordedSharing, type SharingReport } from './record-sharing-report';
import { lockSharing, readReceivers, type Receiver, type LockedSharing } from './lock-sharing';

/** All of a sharing's request, stored with it: the same bytes at every attempt (P8). */
export interface StoredSharing {
  readonly outOrderNo: string;
  readonly outTradeNo: string;
  readonly kind: SharingKind;
  readonly merchantId: string;
  readonly appId: string;
  readonly transactionId: string;
  readonly description: string;
  readonly receivers: readonly Receiver[];
}

export type SharingTurn =
  /** Nothing is left to do: settled, or a person is needed. */
  | { readonly kind: 'over'; readonly status: SharingStatus | 'unknown_sharing' }
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Makes a receiver known to WeChat; a repeat changes nothing there. */
  | {
      readonly kind: 'register';
      readonly attemptId: string;
      readonly sharing: StoredSharing;
      readonly receiver: Receiver;
    }
  /** Send it; the attempt is recorded. */
  | { readonly kind: 'send'; readonly attemptId: string; readonly sharing: StoredSharing }
  /** Ask first: an attempt may have been taken, or WeChat works on it. */
  | {
      readonly kind: 'ask';
      readonly sharing: StoredSharing;
      readonly acceptedAtMs: number | null;
      /** WeChat has never said that it has this number. */
      readonly mayBeAbsent: boolean;
    };

/** A query that comes this little too early is made at once. */
const EARLY_MS = 500;
/** What holds an unfreeze up is looked at again after this. */
const BLOCKED_MS = 10_000;

export interface UnderWay {
  readonly status: SharingStatus | 'unknown_sharing';
  /** null unless WeChat works on it. */
  readonly sharing: StoredSharing | null;
  readonly acceptedAtMs: number | null;
}

/** What the run of a sharing does with its row. Every request is written before it is sent. */
export function createSharings(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** Whose turn it is, asked at the start of each attempt: the row decides. */
    turn: (outOrderNo: string, attemptLifeMs: number, nowMs: number): Promise<SharingTurn> =>
      prisma.$transaction((tx) => takeTurn(context, tx, outOrderNo, attemptLifeMs, nowMs)),

    /** WeChat doesn't know the number, so it may be sent, again with the same number. */
    startAfterAbsence: (
      outOrderNo: string,
      attemptLifeMs: number,
      nowMs: number,
    ): Promise<string | null> =>
      prisma.$transaction(async (tx) => {
        const row = await lockSharing(tx, outOrderNo);
        if (row?.status !== 'pending') return null;
        const attempt = { outOrderNo, operation: row.kind };
        const now = new Date(nowMs);
        await settleAbsentAttempts(tx, attempt, now);
        return startSharingAttempt(tx, attempt, attemptLifeMs, now);
      }),

    /** What WeChat works on at the moment, for who wants to ask at once; else how the sharing stands. */
    underWay: (outOrderNo: string): Promise<UnderWay> =>
      prisma.$transaction((tx) => underWay(context, tx, outOrderNo)),

    /** WeChat knows this receiver now. */
    async registered(
      receiverId: string,
      attempt: { readonly id: string; readonly requestId: string | null },
      nowMs: number,
    ): Promise<void> {
      const now = new Date(nowMs);
      await prisma.$transaction(async (tx) => {
        await settleSharingAttempt(tx, attempt.id, 'accepted', null, attempt.requestId, now);
        const data = { registeredAt: now };
        await tx.profitSharingReceiver.updateMany({ where: { id: receiverId }, data });
      });
    },

    /** Notes how a request ended that WeChat did not take. */
    attemptEnded: (
      attemptId: string,
      outcome: AttemptOutcome,
      code: string | null,
      requestId: string | null,
      nowMs: number,
    ): Promise<void> =>
      settleSharingAttempt(prisma, attemptId, outcome, code, requestId, new Date(nowMs)),

    /** Books what WeChat said, with all that follows. */
    recordReport: (
      outOrderNo: string,
      word: SharingReport,
      attempt: { readonly id: string; readonly requestId: string | null } | null,
      nowMs: number,
    ): Promise<RecordedSharing> =>
      prisma.$transaction((tx) =>
        recordSharingReport(context, tx, outOrderNo, word, attempt, new Date(nowMs)),
      ),

    /** When the run comes round again at the latest (P12). */
    async dueAgain(outOrderNo: string, atMs: number): Promise<void> {
      await prisma.profitSharing.updateMany({
        where: { outOrderNo, status: { in: ['pending', 'processing'] } },
        data: { dueAt: new Date(atMs + DUE_GRACE_MS) },
      });
    },
  };
}

async function takeTurn(
  context: DatabaseContext,
  tx: Tx,
  outOrderNo: string,
  attemptLifeMs: number,
  nowMs: number,
): Promise<SharingTurn> {
  const now = new Date(nowMs);
  const row = await lockSharing(tx, outOrderNo);
  if (!row) return { kind: 'over', status: 'unknown_sharing' };
  if (isSharingSettled(row.status) || (await hasOpenIntervention(tx, row))) return over(tx, row);
  if (row.status === 'processing') {
    const waitMs = (row.nextQueryAt?.getTime() ?? 0) - nowMs;
    return waitMs > EARLY_MS ? { kind: 'wait', delayMs: waitMs } : ask(context, tx, row, false);
  }
  const sent = { outOrderNo, operation: row.kind };
  const maybeTaken = await tx.profitSharingAttempt.count({ where: { ...sent, ...MAYBE_TAKEN } });
  if (maybeTaken > 0) return ask(context, tx, row, true);
  const earlyMs = row.notBefore.getTime() - nowMs;
  if (earlyMs > 0) return { kind: 'wait', delayMs: earlyMs };
  if (row.kind === 'unfreeze') {
    if (await closeIfNeedless(tx, row, now)) return { kind: 'over', status: 'closed' };
    if (await isBlocked(tx, row)) return { kind: 'wait', delayMs: BLOCKED_MS };
  }
  const sharing = await stored(context, tx, row);
  const receiver = sharing.receivers.find(({ registeredAt }) => registeredAt === null);
  if (receiver) {
    const attempt = { outOrderNo, operation: 'receiver' } as const;
    const attemptId = await startSharingAttempt(tx, attempt, attemptLifeMs, now);
    return { kind: 'register', attemptId, sharing, receiver };
  }
  const attemptId = await startSharingAttempt(tx, sent, attemptLifeMs, now);
  return { kind: 'send', attemptId, sharing };
}

async function underWay(context: DatabaseContext, tx: Tx, outOrderNo: string): Promise<UnderWay> {
  const row = await lockSharing(tx, outOrderNo);
  if (!row) return { status: 'unknown_sharing', sharing: null, acceptedAtMs: null };
  const isTaken = row.status === 'processing';
  return {
    status: row.status,
    sharing: isTaken ? await stored(context, tx, row) : null,
    acceptedAtMs: row.acceptedAt?.getTime() ?? null,
  };
}

/** True while a person is asked about this sharing: it waits for the answer. */
async function hasOpenIntervention(tx: Tx, row: LockedSharing): Promise<boolean> {
  const { outTradeNo, outOrderNo: subject } = row;
  const open = { outTradeNo, status: 'open', reason: 'sharing_failed', subject };
  return (await tx.intervention.count({ where: open })) > 0;
}

/** Nothing is due of a sharing that has ended or waits for a person. */
async function over(tx: Tx, row: LockedSharing): Promise<SharingTurn> {
  await tx.profitSharing.updateMany({
    where: { outOrderNo: row.outOrderNo, dueAt: { not: null } },
    data: { dueAt: null },
  });
  return { kind: 'over', status: row.status };
}

async function ask(
  context: DatabaseContext,
  tx: Tx,
  row: LockedSharing,
  mayBeAbsent: boolean,
): Promise<SharingTurn> {
  const sharing = await stored(context, tx, row);
  const acceptedAtMs = row.acceptedAt?.getTime() ?? null;
  return { kind: 'ask', sharing, acceptedAtMs, mayBeAbsent };
}

/** The unfreeze at the deadline has nothing to do when all is unfrozen, shared or paid back. */
async function closeIfNeedless(tx: Tx, row: LockedSharing, now: Date): Promise<boolean> {
  if (row.origin !== 'deadline') return false;
  const [seen] = await tx.$queryRaw<{ needless: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM profit_sharings u WHERE u.transaction_key = t.id
        AND u.kind = 'unfreeze' AND u.status = 'finished')
      OR coalesce(t.total_fen, 0) <= t.refunded_fen + (SELECT coalesce(sum(r.amount_fen), 0)
        FROM profit_sharings s JOIN profit_sharing_receivers r USING (out_order_no)
        WHERE s.transaction_key = t.id AND r.result = 'SUCCESS') AS needless
    FROM payment_transactions t WHERE t.id = ${row.transactionKey}::uuid`;
  if (seen?.needless !== true) return false;
  await tx.profitSharing.updateMany({
    where: { outOrderNo: row.outOrderNo, status: row.status },
    data: { status: 'closed', closedAt: now, dueAt: null },
  });
  return true;
}

/** What is still being shared comes first; one that a person is asked about holds nothing up. */
async function isBlocked(tx: Tx, row: LockedSharing): Promise<boolean> {
  const [first] = await tx.$queryRaw<{ out_order_no: string }[]>`
    SELECT s.out_order_no FROM profit_sharings s
    WHERE s.transaction_key = ${row.transactionKey}::uuid AND s.kind = 'share'
      AND s.status IN ('pending', 'processing') AND NOT EXISTS (SELECT 1 FROM interventions i
        WHERE i.out_trade_no = s.out_trade_no AND i.status = 'open'
          AND i.reason = 'sharing_failed' AND i.subject = s.out_order_no) LIMIT 1`;
  return first !== undefined;
}

async function stored(context: DatabaseContext, tx: Tx, row: LockedSharing): Promise<StoredSharing> {
  return {
    outOrderNo: row.outOrderNo,
    outTradeNo: row.outTradeNo,
    kind: row.kind,
    merchantId: row.merchantId,
    appId: row.appId,
    transactionId: row.transactionId,
    description: row.description,
    receivers: await readReceivers(context, tx, row.outOrderNo),
  };
}
