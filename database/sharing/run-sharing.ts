// Gives the run of a sharing its steps in the database: take a turn, record attempts and reports.
import type { DatabaseContext, Tx } from '../core/context';
import { DUE_GRACE_MS } from '../core/due-times';
import {
  acceptAttempt,
  endAttempt,
  refuseAbsentAttempts,
  startAttempt,
  type AcceptedAttempt,
  type EndedAttempt,
} from '../requests/numbered-attempts';
import { lockSharing, sharingAttempts } from './lock-sharing';
import {
  recordSharingReport,
  type RecordedSharing,
  type SharingReport,
} from './record-sharing-report';
import {
  readUnderWay,
  takeSharingTurn,
  type SharingTurn,
  type SharingUnderWay,
} from './take-sharing-turn';

/** The steps of a sharing's run on its row. Every attempt is recorded before it is sent (P8). */
export function createSharings(context: DatabaseContext) {
  const { prisma, limitRows } = context;
  /** All sharings of an order lock its row. */
  const limited = async <T>(outOrderNo: string, work: (tx: Tx) => Promise<T>): Promise<T> => {
    const where = { outOrderNo };
    const row = await prisma.profitSharing.findUnique({ where, select: { outTradeNo: true } });
    return limitRows(row ? [`order:${row.outTradeNo}`] : [], () => prisma.$transaction(work));
  };
  return {
    /** The next step of the run, read from the row at the start of each attempt. */
    turn: (outOrderNo: string, attemptLifeMs: number, nowMs: number): Promise<SharingTurn> =>
      limited(outOrderNo, (tx) =>
        takeSharingTurn(context, { tx, now: new Date(nowMs), attemptLifeMs }, outOrderNo),
      ),

    /**
     * WeChat doesn't know the number: starts another attempt, which sends the same number again.
     * @returns the attempt's id; null when the sharing is not pending any more
     */
    startAfterAbsence: (
      outOrderNo: string,
      attemptLifeMs: number,
      nowMs: number,
    ): Promise<string | null> =>
      limited(outOrderNo, async (tx) => {
        const sharing = await lockSharing(tx, outOrderNo);
        if (sharing?.status !== 'pending') return null;
        const scope = { tx, now: new Date(nowMs), attemptLifeMs };
        const attempts = sharingAttempts(outOrderNo, sharing.kind);
        await refuseAbsentAttempts(scope, attempts);
        return startAttempt(scope, attempts);
      }),

    /** The request that WeChat works on now, for a query at once; else how the sharing stands. */
    underWay: (outOrderNo: string): Promise<SharingUnderWay> =>
      limited(outOrderNo, (tx) => readUnderWay(context, tx, outOrderNo)),

    /** Records that WeChat knows this receiver now. */
    async registered(receiverId: string, attempt: AcceptedAttempt, nowMs: number): Promise<void> {
      const now = new Date(nowMs);
      await prisma.$transaction(async (tx) => {
        await acceptAttempt({ tx, now }, 'profit_sharing_attempts', attempt);
        const data = { registeredAt: now };
        await tx.profitSharingReceiver.updateMany({ where: { id: receiverId }, data });
      });
    },

    /** Records how an attempt ended that WeChat did not accept. */
    endAttempt: (attempt: EndedAttempt, nowMs: number): Promise<void> =>
      endAttempt({ tx: prisma, now: new Date(nowMs) }, 'profit_sharing_attempts', attempt),

    /**
     * Records what WeChat reported, with all that follows.
     * @param attempt the one that WeChat responded to; null after a query
     */
    recordReport: (
      outOrderNo: string,
      report: SharingReport,
      attempt: AcceptedAttempt | null,
      nowMs: number,
    ): Promise<RecordedSharing> =>
      limited(outOrderNo, (tx) => {
        const scope = { tx, now: new Date(nowMs) };
        return recordSharingReport(context, scope, outOrderNo, { ...report, attempt });
      }),

    /** Writes when the run comes round again at the latest (P12). */
    async dueAgain(outOrderNo: string, atMs: number): Promise<void> {
      await prisma.profitSharing.updateMany({
        where: { outOrderNo, status: { in: ['pending', 'processing'] } },
        data: { dueAt: new Date(atMs + DUE_GRACE_MS) },
      });
    },
  };
}
