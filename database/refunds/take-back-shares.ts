import { RETURNABLE_MS, shortfallOf, type ShareReturnStatus } from '../../domain/sharing/profit-sharing';
import { isSettled } from '../../domain/refunds/refund-state';
import type { AttemptOutcome } from '../core/attempt-outcome';
import type { DatabaseContext, Tx } from '../core/context';
import { openIntervention } from '../interventions/open-intervention';
import type { LockedRefund } from './lock-refund';
import { lockRefund } from './settle-refund';
import {
  MAYBE_TAKEN,
  settleAbsentAttempts,
  settleForeignAttempts,
  settleSharingAttempt,
  startSharingAttempt,
} from '../sharing/sharing-attempts';
import { freeSharedAmount } from '../sharing/record-sharing-report';
import { makeOwnNumber } from '../sharing/hold-sharing';
import { receiverPlace } from '../sharing/lock-sharing';

/** All of a take-back's request. */
export interface StoredShareReturn {
  readonly outReturnNo: string;
  readonly outOrderNo: string;
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly transactionId: string;
  /** Who gives the money back. */
  readonly returnMchid: string;
  readonly amountFen: number;
}

/** What has to happen before a refund is sent; null in its place when nothing has to. */
export type TakeBackTurn =
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** A person is asked. */
  | { readonly kind: 'asked'; readonly outTradeNo: string }
  | { readonly kind: 'return_send'; readonly attemptId: string; readonly back: StoredShareReturn }
  | {
      readonly kind: 'return_ask';
      readonly back: StoredShareReturn;
      readonly acceptedAtMs: number | null;
      readonly mayBeAbsent: boolean;
    };

export interface ShareReturnReport {
  readonly result: 'PROCESSING' | 'SUCCESS' | 'FAILED';
  readonly returnId: string | null;
  readonly failReason: string | null;
  /** When WeChat is asked again, while it works on it. */
  readonly nextQueryAt: Date;
}

interface ReturnRow {
  outReturnNo: string;
  outOrderNo: string;
  receiverId: string;
  amountFen: number;
  status: ShareReturnStatus;
  nextQueryAt: Date | null;
  acceptedAt: Date | null;
  accountEncrypted: string;
}

interface Returnable {
  id: string;
  outOrderNo: string;
  line: number;
  leftFen: number;
  /** Take-backs from this receiver for this refund until now. */
  before: number;
}

const EARLY_MS = 500;
/** What has to settle first is looked at again after this. */
const BLOCKED_MS = 10_000;

/**
 * Whose turn it is before a refund is first sent: where receivers hold money that it needs, that is taken
 * back first. The refund's row and its order's are locked.
 */
export async function takeBackTurn(
  context: DatabaseContext,
  tx: Tx,
  refund: LockedRefund,
  attemptLifeMs: number,
  now: Date,
): Promise<TakeBackTurn | null> {
  if (refund.shortAcceptedAt !== null) return null;
  const [paid] = await tx.$queryRaw<{ totalFen: number; heldFen: number; sharedFen: number }[]>`
    SELECT coalesce(total_fen, 0) AS "totalFen", held_fen AS "heldFen", shared_fen AS "sharedFen"
    FROM payment_transactions WHERE id = ${refund.transactionKey}::uuid FOR NO KEY UPDATE`;
  const lacking = paid ? shortfallOf(paid, refund.amountFen) : 0;
  let own = await openReturns(tx, refund.outRefundNo);
  if (own.reduce((sum, { amountFen: fen }) => sum + fen, 0) > lacking) {
    // What was planned and not begun is not taken from anybody when it is needed no more.
    await dropUnsent(tx, refund.outRefundNo, now);
    own = await openReturns(tx, refund.outRefundNo);
  }
  if (own[0]) return continueReturn(context, tx, refund, own[0], attemptLifeMs, now);
  if (lacking === 0) return null;
  if (await isUnsettled(tx, refund)) return { kind: 'wait', delayMs: BLOCKED_MS };
  const planned = await planReturns(context, tx, refund, lacking, now);
  if (!planned) return { kind: 'asked', outTradeNo: refund.outTradeNo };
  const [first] = await openReturns(tx, refund.outRefundNo);
  if (!first) throw new Error(`Nothing was planned for refund ${refund.outRefundNo}`);
  return continueReturn(context, tx, refund, first, attemptLifeMs, now);
}

/** What was begun for a refund that has ended without it; the money may be back, and others wait to know. */
export async function finishTakeBacks(
  context: DatabaseContext,
  tx: Tx,
  refund: LockedRefund,
  attemptLifeMs: number,
  now: Date,
): Promise<TakeBackTurn | null> {
  await dropUnsent(tx, refund.outRefundNo, now);
  const [own] = await openReturns(tx, refund.outRefundNo);
  return own ? continueReturn(context, tx, refund, own, attemptLifeMs, now) : null;
}

function openReturns(tx: Tx, outRefundNo: string): Promise<ReturnRow[]> {
  return tx.$queryRaw<ReturnRow[]>`
    SELECT b.out_return_no AS "outReturnNo", b.out_order_no AS "outOrderNo",
      b.receiver_id::text AS "receiverId", b.amount_fen AS "amountFen", b.status,
      b.next_query_at AS "nextQueryAt", b.accepted_at AS "acceptedAt",
      r.account_encrypted AS "accountEncrypted"
    FROM profit_sharing_returns b JOIN profit_sharing_receivers r ON r.id = b.receiver_id
    WHERE b.out_refund_no = ${outRefundNo} AND b.status IN ('pending', 'processing')
    ORDER BY b.created_at, b.amount_fen DESC, b.out_return_no FOR NO KEY UPDATE OF b`;
}

/** While the payment is still being shared, or taken back for another refund, nobody knows what is lacking. */
async function isUnsettled(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const [seen] = await tx.$queryRaw<{ unsettled: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM profit_sharings s
        WHERE s.transaction_key = ${refund.transactionKey}::uuid AND s.kind = 'share'
          AND s.status IN ('pending', 'processing'))
      OR EXISTS (SELECT 1 FROM profit_sharing_returns b JOIN refunds r USING (out_refund_no)
        WHERE r.transaction_key = ${refund.transactionKey}::uuid
          AND b.status IN ('pending', 'processing')) AS unsettled`;
  return seen?.unsettled ?? false;
}

/** Largest first, so that as few as possible are asked. @returns false when a person is asked instead */
async function planReturns(
  context: DatabaseContext,
  tx: Tx,
  refund: LockedRefund,
  lackingFen: number,
  now: Date,
): Promise<boolean> {
  const since = new Date(now.getTime() - RETURNABLE_MS);
  const sources = await tx.$queryRaw<Returnable[]>`
    SELECT r.id::text, r.out_order_no AS "outOrderNo", r.line,
      r.amount_fen - r.returned_fen AS "leftFen",
      (SELECT count(*) FROM profit_sharing_returns b
        WHERE b.receiver_id = r.id AND b.out_refund_no = ${refund.outRefundNo})::int AS before
    FROM profit_sharing_receivers r JOIN profit_sharings s USING (out_order_no)
    WHERE s.transaction_key = ${refund.transactionKey}::uuid AND r.type = 'MERCHANT_ID'
      AND r.result = 'SUCCESS' AND r.amount_fen > r.returned_fen AND s.finished_at >= ${since}
    ORDER BY "leftFen" DESC, r.id`;
  const returnable = sources.reduce((sum, one) => sum + one.leftFen, 0);
  if (returnable < lackingFen) {
    await openReturnIntervention(tx, refund, { lacking: lackingFen, returnable }, now);
    return false;
  }
  let lacking = lackingFen;
  for (const one of sources) {
    if (lacking === 0) break;
    const amountFen = Math.min(one.leftFen, lacking);
    lacking -= amountFen;
    await tx.profitSharingReturn.createMany({
      data: [
        {
          outReturnNo: makeOwnNumber(context, [
            'return',
            refund.outRefundNo,
            one.outOrderNo,
            one.line,
            one.before,
          ]),
          outOrderNo: one.outOrderNo,
          receiverId: one.id,
          outRefundNo: refund.outRefundNo,
          amountFen,
          createdAt: now,
        },
      ],
    });
  }
  return true;
}

async function continueReturn(
  context: DatabaseContext,
  tx: Tx,
  refund: LockedRefund,
  row: ReturnRow,
  attemptLifeMs: number,
  now: Date,
): Promise<TakeBackTurn> {
  const back = stored(context, refund, row);
  const acceptedAtMs = row.acceptedAt?.getTime() ?? null;
  if (row.status === 'processing') {
    const waitMs = (row.nextQueryAt?.getTime() ?? 0) - now.getTime();
    if (waitMs > EARLY_MS) return { kind: 'wait', delayMs: waitMs };
    return { kind: 'return_ask', back, acceptedAtMs, mayBeAbsent: false };
  }
  const { outReturnNo, outOrderNo } = back;
  const maybeTaken = await tx.profitSharingAttempt.count({
    where: { outReturnNo, ...MAYBE_TAKEN },
  });
  if (maybeTaken > 0) return { kind: 'return_ask', back, acceptedAtMs, mayBeAbsent: true };
  const attempt = { outOrderNo, outReturnNo, operation: 'return' } as const;
  const attemptId = await startSharingAttempt(tx, attempt, attemptLifeMs, now);
  return { kind: 'return_send', attemptId, back };
}

function stored({ cipher }: DatabaseContext, refund: LockedRefund, row: ReturnRow): StoredShareReturn {
  return {
    outReturnNo: row.outReturnNo,
    outOrderNo: row.outOrderNo,
    outRefundNo: refund.outRefundNo,
    outTradeNo: refund.outTradeNo,
    merchantId: refund.merchantId,
    transactionId: refund.transactionId,
    returnMchid: cipher.decrypt(receiverPlace('account', row.receiverId), row.accountEncrypted),
    amountFen: row.amountFen,
  };
}

/** What the run of a refund does with what it takes back. */
export function createShareReturns({ prisma }: DatabaseContext) {
  return {
    /** WeChat doesn't know the number, so it may be sent, again with the same number. */
    startAfterAbsence: (
      back: StoredShareReturn,
      attemptLifeMs: number,
      nowMs: number,
    ): Promise<string | null> =>
      prisma.$transaction(async (tx) => {
        const { outReturnNo, outOrderNo, outRefundNo } = back;
        const refund = await lockRefund(tx, outRefundNo);
        const open = { outReturnNo, status: 'pending' };
        if ((await tx.profitSharingReturn.count({ where: open })) === 0) return null;
        const attempt = { outOrderNo, outReturnNo, operation: 'return' } as const;
        const now = new Date(nowMs);
        await settleAbsentAttempts(tx, { outReturnNo }, now);
        if (!refund || isSettled(refund.status)) return null;
        return startSharingAttempt(tx, attempt, attemptLifeMs, now);
      }),

    attemptEnded: (
      attemptId: string,
      outcome: AttemptOutcome,
      code: string | null,
      requestId: string | null,
      nowMs: number,
    ): Promise<void> =>
      settleSharingAttempt(prisma, attemptId, outcome, code, requestId, new Date(nowMs)),

    /** WeChat has something else under this number, so it can't have ours. */
    isForeign: (outReturnNo: string, nowMs: number): Promise<void> =>
      settleForeignAttempts(prisma, { outReturnNo }, new Date(nowMs)),

    /** Books what WeChat said of a take-back. One that failed is asked about, at its refund. */
    recordReport: (
      back: StoredShareReturn,
      word: ShareReturnReport,
      attempt: { readonly id: string; readonly requestId: string | null } | null,
      nowMs: number,
    ): Promise<void> =>
      prisma.$transaction(async (tx) => {
        const now = new Date(nowMs);
        const refund = await lockRefund(tx, back.outRefundNo);
        if (attempt) {
          await settleSharingAttempt(tx, attempt.id, 'accepted', null, attempt.requestId, now);
        }
        if (refund) await bookReturn(tx, refund, back, word, now);
      }),
  };
}

async function bookReturn(
  tx: Tx,
  refund: LockedRefund,
  back: StoredShareReturn,
  word: ShareReturnReport,
  now: Date,
): Promise<void> {
  const { outReturnNo, amountFen } = back;
  const [row] = await tx.$queryRaw<Pick<ReturnRow, 'receiverId' | 'acceptedAt'>[]>`
    SELECT receiver_id::text AS "receiverId", accepted_at AS "acceptedAt" FROM profit_sharing_returns
    WHERE out_return_no = ${outReturnNo} AND status IN ('pending', 'processing') FOR NO KEY UPDATE`;
  if (!row) return;
  const status: ShareReturnStatus = STATUS_OF[word.result];
  await tx.profitSharingReturn.updateMany({
    where: { outReturnNo },
    data: {
      status,
      failReason: word.failReason,
      nextQueryAt: status === 'processing' ? word.nextQueryAt : null,
      ...(word.returnId === null ? {} : { returnId: word.returnId }),
      ...(row.acceptedAt === null ? { acceptedAt: now } : {}),
      ...(status === 'processing' ? {} : { finishedAt: now }),
    },
  });
  if (status === 'succeeded') {
    await tx.profitSharingReceiver.updateMany({
      where: { id: row.receiverId },
      data: { returnedFen: { increment: amountFen } },
    });
    await freeSharedAmount(tx, refund.transactionKey, amountFen);
  } else if (status === 'failed' && !isSettled(refund.status)) {
    const evidence = { out_return_no: outReturnNo, amount: amountFen, why: word.failReason };
    await openReturnIntervention(tx, refund, evidence, now);
  }
}

const STATUS_OF = { PROCESSING: 'processing', SUCCESS: 'succeeded', FAILED: 'failed' } as const;

/** No refund that would leave the merchant short goes out unless a person says so. */
async function openReturnIntervention(
  tx: Tx,
  refund: LockedRefund,
  evidence: Readonly<Record<string, unknown>>,
  now: Date,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: refund.outTradeNo,
    ours: refund.orderNo !== null,
    reason: 'return_failed',
    subject: refund.outRefundNo,
    evidence: {
      out_refund_no: refund.outRefundNo,
      transaction_id: refund.transactionId,
      refund: refund.amountFen,
      ...evidence,
    },
    amountFen: refund.amountFen,
    now,
  });
}

/** True while WeChat may carry out a take-back of this refund: nothing else can be decided before. */
export async function mayBeTakenBack(tx: Tx, outRefundNo: string): Promise<boolean> {
  const maybe = await tx.profitSharingReturn.count({
    where: {
      outRefundNo,
      status: { in: ['pending', 'processing'] },
      attempts: { some: MAYBE_TAKEN },
    },
  });
  return maybe > 0;
}

async function dropUnsent(tx: Tx, outRefundNo: string, now: Date): Promise<void> {
  await tx.profitSharingReturn.updateMany({
    where: { outRefundNo, status: 'pending', attempts: { none: MAYBE_TAKEN } },
    data: { status: 'failed', failReason: 'NOT_NEEDED', finishedAt: now },
  });
}

/** Gives up what was never taken back. */
export async function abandonShareReturns(
  tx: Tx,
  outRefundNo: string,
  why: string,
  now: Date,
): Promise<void> {
  await tx.profitSharingReturn.updateMany({
    where: { outRefundNo, status: { in: ['pending', 'processing'] } },
    data: { status: 'failed', failReason: why, nextQueryAt: null, finishedAt: now },
  });
}
