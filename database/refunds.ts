import { v7 as uuidv7 } from 'uuid';
import { isSettled, type RefundStatus } from '../domain/refund-state';
import type { AttemptOutcome } from './attempts';
import type { DatabaseContext, Transaction } from './context';
import { openIntervention } from './interventions';
import type { RefundRow } from './refund-row';
import { lockRefund, settleRefund, type RefundWord } from './refund-rows';
import { returnTurn, type ReturnTurn } from './sharing/returns';

/** Where an abnormal refund shall go. */
export type RefundTarget =
  | {
      readonly kind: 'user_bank_card';
      readonly bankType: string;
      readonly bankAccount: string;
      readonly realName: string;
    }
  | { readonly kind: 'merchant_bank_card' };

/** All of a refund's request, stored with it: the same bytes at every attempt (P8). */
export interface StoredRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly transactionId: string;
  readonly refundFen: number;
  readonly totalFen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string;
  /** Money of a number that is one of our orders. */
  readonly ours: boolean;
}

export type RefundTurn =
  /** Shared money that it needs is taken back first. */
  | ReturnTurn
  /** Nothing is left to do: settled, or a person is needed. */
  | { readonly kind: 'over'; readonly status: RefundStatus | 'unknown_refund' }
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Send it; the attempt is recorded. */
  | { readonly kind: 'send'; readonly attemptId: string; readonly refund: StoredRefund }
  /** Ask first: an attempt may have been taken, or WeChat works on it. */
  | {
      readonly kind: 'ask';
      readonly refund: StoredRefund;
      readonly acceptedAtMs: number | null;
      /** WeChat has never said that it has this number. */
      readonly mayBeAbsent: boolean;
    }
  | {
      readonly kind: 'redirect';
      readonly attemptId: string;
      readonly refund: StoredRefund;
      readonly refundId: string;
      readonly target: RefundTarget;
    };

/** What a refund's run does with its row. Every request is written before it is sent. */
export function createRefunds(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** null when there is no such refund. */
    async status(outRefundNo: string): Promise<RefundStatus | null> {
      const where = { outRefundNo };
      const row = await prisma.refund.findUnique({ where, select: { status: true } });
      return row && (row.status as RefundStatus);
    },

    /**
     * Whose turn it is, asked at the start of each attempt: the row decides.
     * @param limits least time between two refunds of one order, and the life of an attempt, ms
     */
    turn: (
      outRefundNo: string,
      limits: { readonly spacingMs: number; readonly attemptLifeMs: number },
      nowMs: number,
    ): Promise<RefundTurn> => takeTurn(context, outRefundNo, limits, nowMs),

    /** WeChat doesn't know the number, so it may be sent, again with the same number. */
    startAfterAbsence: (outRefundNo: string, attemptLifeMs: number, nowMs: number) =>
      startAfterAbsence(context, outRefundNo, attemptLifeMs, nowMs),

    /** Notes how a request ended that WeChat did not take. */
    async attemptEnded(
      attemptId: string,
      outcome: AttemptOutcome,
      code: string | null,
      requestId: string | null,
      nowMs: number,
    ): Promise<void> {
      await settleAttempt(prisma, attemptId, outcome, code, requestId, new Date(nowMs));
    },

    /** Books what WeChat said, with all that follows. @returns the status it has now */
    heard: (
      outRefundNo: string,
      word: RefundWord,
      attempt: { readonly id: string; readonly requestId: string | null } | null,
      nowMs: number,
    ): Promise<RefundStatus | 'unknown_refund'> => hear(context, outRefundNo, word, attempt, nowMs),

    /** When the run comes round again at the latest (P12). */
    async dueAgain(outRefundNo: string, atMs: number, nextQueryAtMs: number | null): Promise<void> {
      await prisma.refund.updateMany({
        where: { outRefundNo, status: { in: ['pending', 'processing', 'abnormal'] } },
        data: {
          dueAt: new Date(atMs + DUE_GRACE_MS),
          ...(nextQueryAtMs === null ? {} : { nextQueryAt: new Date(nextQueryAtMs) }),
        },
      });
    },
  };
}

/** A run is this late before it is looked for. */
const DUE_GRACE_MS = 15_000;
/** A query that comes this little too early is made at once. */
const EARLY_MS = 500;

async function takeTurn(
  context: DatabaseContext,
  outRefundNo: string,
  limits: { readonly spacingMs: number; readonly attemptLifeMs: number },
  nowMs: number,
): Promise<RefundTurn> {
  const now = new Date(nowMs);
  return context.prisma.$transaction(async (tx): Promise<RefundTurn> => {
    const row = await lockRefund(tx, outRefundNo);
    if (!row) return { kind: 'over', status: 'unknown_refund' };
    if (isSettled(row.status) || (await isAsked(tx, row))) return over(tx, row);
    if (row.status === 'abnormal') return redirect(context, tx, row, limits.attemptLifeMs, now);
    const askAtMs = row.next_query_at?.getTime() ?? 0;
    if (row.status === 'processing') {
      if (askAtMs > nowMs + EARLY_MS) return { kind: 'wait', delayMs: askAtMs - nowMs };
      return ask(row, false);
    }
    const open = await tx.refundAttempt.count({
      where: { outRefundNo, OR: [{ outcome: null }, { outcome: { not: 'refused' } }] },
    });
    if (open > 0) return ask(row, true);
    const first = await returnTurn(context, tx, row, limits.attemptLifeMs, now);
    if (first?.kind === 'asked') await over(tx, row);
    if (first) return first;
    const waitMs = await spacing(tx, row, limits.spacingMs, nowMs);
    if (waitMs > 0) return { kind: 'wait', delayMs: waitMs };
    const attemptId = await startAttempt(tx, row, 'refund', limits.attemptLifeMs, now);
    return { kind: 'send', attemptId, refund: stored(row) };
  });
}

/** True while a person is asked about this refund: it waits for the answer. */
async function isAsked(tx: Transaction, row: RefundRow): Promise<boolean> {
  const open = await tx.intervention.count({
    where: {
      outTradeNo: row.out_trade_no,
      status: 'open',
      OR: [
        {
          reason: { in: ['refund_failed', 'refund_abnormal', 'return_failed'] },
          subject: row.out_refund_no,
        },
        { reason: 'surplus_payment', subject: { in: [row.out_refund_no, row.transaction_id] } },
      ],
    },
  });
  return open > 0;
}

/** Nothing is due of a refund that has ended or waits for a person. */
async function over(tx: Transaction, row: RefundRow): Promise<RefundTurn> {
  await tx.refund.updateMany({
    where: { outRefundNo: row.out_refund_no, dueAt: { not: null } },
    data: { dueAt: null },
  });
  return { kind: 'over', status: row.status };
}

function ask(row: RefundRow, mayBeAbsent: boolean): RefundTurn {
  const acceptedAtMs = row.accepted_at?.getTime() ?? null;
  return { kind: 'ask', refund: stored(row), acceptedAtMs, mayBeAbsent };
}

/** WeChat wants refunds of one order some time apart: a later one waits, it does not fail. */
async function spacing(
  tx: Transaction,
  row: RefundRow,
  spacingMs: number,
  nowMs: number,
): Promise<number> {
  const { _max } = await tx.refundAttempt.aggregate({
    where: {
      outRefundNo: { not: row.out_refund_no },
      operation: 'refund',
      refund: { transactionKey: row.transaction_key },
    },
    _max: { sentAt: true },
  });
  return _max.sentAt === null ? 0 : _max.sentAt.getTime() + spacingMs - nowMs;
}

async function redirect(
  { cipher }: DatabaseContext,
  tx: Transaction,
  row: RefundRow,
  attemptLifeMs: number,
  now: Date,
): Promise<RefundTurn> {
  if (row.abnormal_encrypted === null || row.refund_id === null) return over(tx, row);
  const place = { table: 'refunds', column: 'abnormal', row: row.out_refund_no };
  const given = JSON.parse(cipher.decrypt(place, row.abnormal_encrypted)) as Record<string, string>;
  const target: RefundTarget =
    given['to'] === 'merchant_bank_card'
      ? { kind: 'merchant_bank_card' }
      : {
          kind: 'user_bank_card',
          bankType: given['bank_type'] ?? '',
          bankAccount: given['bank_account'] ?? '',
          realName: given['real_name'] ?? '',
        };
  const attemptId = await startAttempt(tx, row, 'abnormal', attemptLifeMs, now);
  return { kind: 'redirect', attemptId, refund: stored(row), refundId: row.refund_id, target };
}

async function startAfterAbsence(
  { prisma }: DatabaseContext,
  outRefundNo: string,
  attemptLifeMs: number,
  nowMs: number,
): Promise<string | null> {
  return prisma.$transaction(async (tx) => {
    const row = await lockRefund(tx, outRefundNo);
    if (row?.status !== 'pending') return null;
    return startAttempt(tx, row, 'refund', attemptLifeMs, new Date(nowMs));
  });
}

async function startAttempt(
  tx: Transaction,
  row: RefundRow,
  operation: 'refund' | 'abnormal',
  lifeMs: number,
  now: Date,
): Promise<string> {
  const id = uuidv7();
  const { out_refund_no: outRefundNo } = row;
  const deadlineAt = new Date(now.getTime() + lifeMs);
  await tx.refundAttempt.createMany({
    data: [{ id, outRefundNo, operation, sentAt: now, deadlineAt }],
  });
  return id;
}

async function settleAttempt(
  tx: Transaction,
  id: string,
  outcome: AttemptOutcome,
  code: string | null,
  requestId: string | null,
  now: Date,
): Promise<void> {
  await tx.refundAttempt.updateMany({
    where: { id },
    data: { outcome, code, requestId, finishedAt: now },
  });
}

async function hear(
  context: DatabaseContext,
  outRefundNo: string,
  word: RefundWord,
  attempt: { readonly id: string; readonly requestId: string | null } | null,
  nowMs: number,
): Promise<RefundStatus | 'unknown_refund'> {
  const now = new Date(nowMs);
  return context.prisma.$transaction(async (tx) => {
    const row = await lockRefund(tx, outRefundNo);
    if (attempt) await settleAttempt(tx, attempt.id, 'accepted', null, attempt.requestId, now);
    if (!row) return 'unknown_refund';
    const step = await settleRefund(context, tx, row, word, now);
    if (step.kind === 'moved') return step.to;
    if (step.kind === 'refused') await askAboutContradiction(tx, row, word, now);
    if (step.kind === 'duplicate' && word.nextQueryAt !== null) {
      const dueAt = new Date(word.nextQueryAt.getTime() + DUE_GRACE_MS);
      const data = { nextQueryAt: word.nextQueryAt, dueAt };
      await tx.refund.updateMany({ where: { outRefundNo, status: 'processing' }, data });
    }
    return row.status;
  });
}

/** WeChat says something that can't be of a refund that has ended here: money may have moved. */
async function askAboutContradiction(
  tx: Transaction,
  row: RefundRow,
  word: RefundWord,
  now: Date,
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo: row.out_trade_no,
    ours: row.order_no !== null,
    reason: 'reconciliation',
    subject: row.out_refund_no,
    evidence: {
      expected: row.status,
      seen: word.event,
      refund_id: word.refundId,
      ...word.evidence,
    },
    amountFen: row.amount_fen,
    now,
  });
}

function stored(row: RefundRow): StoredRefund {
  return {
    outRefundNo: row.out_refund_no,
    outTradeNo: row.out_trade_no,
    merchantId: row.merchant_id,
    transactionId: row.transaction_id,
    refundFen: row.amount_fen,
    totalFen: row.total_fen,
    currency: row.currency,
    reason: row.reason,
    notifyUrl: row.notify_url,
    ours: row.order_no !== null,
  };
}
