// Gives the run of a refund its steps on share returns: record attempts, and what WeChat reported.
import { isSettled } from '../../domain/refunds/refund-state';
import type { ShareReturnStatus } from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import {
  acceptAttempt,
  endAttempt,
  refuseAbsentAttempts,
  refuseForeignAttempts,
  startAttempt,
  type AcceptedAttempt,
  type EndedAttempt,
} from '../requests/numbered-attempts';
import { shareReturnAttempts, type StoredShareReturn } from '../sharing/lock-share-returns';
import { freeSharedAmount } from '../sharing/hold-sharing';
import { lockRefund, type LockedRefund } from './lock-refund';
import { openTakeBackIntervention } from './open-refund-intervention';

/** A report of WeChat about a share return, by response or query. */
export interface ShareReturnReport {
  readonly result: 'PROCESSING' | 'SUCCESS' | 'FAILED';
  readonly returnId: string | null;
  readonly failReason: string | null;
  /** When WeChat is queried again, while it works on it. */
  readonly nextQueryAt: Date;
}

const STATUS_OF = {
  PROCESSING: 'processing',
  SUCCESS: 'succeeded',
  FAILED: 'failed',
} as const satisfies Record<ShareReturnReport['result'], ShareReturnStatus>;

/**
 * The steps of a refund's run on its share returns. Every attempt is recorded before it is sent
 * (P8).
 */
export function createShareReturns({ prisma, limitRows }: DatabaseContext) {
  /** The refunds of an order lock its row. */
  const limited = <T>({ outTradeNo }: StoredShareReturn, work: (tx: Tx) => Promise<T>) =>
    limitRows([`order:${outTradeNo}`], () => prisma.$transaction(work));
  return {
    /**
     * WeChat doesn't know the number: starts another attempt, which sends the same number again.
     * @returns the attempt's id; null when the share return or its refund has ended meanwhile
     */
    startAfterAbsence: (
      shareReturn: StoredShareReturn,
      attemptLifeMs: number,
      nowMs: number,
    ): Promise<string | null> =>
      limited(shareReturn, async (tx) => {
        const { outReturnNo, outRefundNo } = shareReturn;
        const refund = await lockRefund(tx, outRefundNo);
        const open = { outReturnNo, status: 'pending' };
        if ((await tx.profitSharingReturn.count({ where: open })) === 0) return null;
        const scope = { tx, now: new Date(nowMs), attemptLifeMs };
        const attempts = shareReturnAttempts(shareReturn);
        await refuseAbsentAttempts(scope, attempts);
        if (!refund || isSettled(refund.status)) return null;
        return startAttempt(scope, attempts);
      }),

    /** Records how an attempt ended that WeChat did not accept. */
    endAttempt: (attempt: EndedAttempt, nowMs: number): Promise<void> =>
      endAttempt({ tx: prisma, now: new Date(nowMs) }, 'profit_sharing_attempts', attempt),

    /** WeChat has something else under this number, so none of our attempts was taken. */
    refuseForeignAttempts: (shareReturn: StoredShareReturn, nowMs: number): Promise<void> =>
      refuseForeignAttempts({ tx: prisma, now: new Date(nowMs) }, shareReturnAttempts(shareReturn)),

    /**
     * Records what WeChat reported. A share return that failed opens an intervention about its
     * refund.
     * @param attempt the one that WeChat responded to; null after a query
     */
    recordReport: (
      shareReturn: StoredShareReturn,
      report: ShareReturnReport,
      attempt: AcceptedAttempt | null,
      nowMs: number,
    ): Promise<void> =>
      limited(shareReturn, async (tx) => {
        const scope = { tx, now: new Date(nowMs) };
        const refund = await lockRefund(tx, shareReturn.outRefundNo);
        if (attempt) await acceptAttempt(scope, 'profit_sharing_attempts', attempt);
        if (refund) await recordShareReturn(scope, refund, shareReturn, report);
      }),
  };
}

async function recordShareReturn(
  scope: TxScope,
  refund: LockedRefund,
  shareReturn: StoredShareReturn,
  report: ShareReturnReport,
): Promise<void> {
  const { tx, now } = scope;
  const { outReturnNo, amountFen } = shareReturn;
  const [row] = await tx.$queryRaw<{ receiverId: string; acceptedAt: Date | null }[]>`
    SELECT receiver_id::text AS "receiverId", accepted_at AS "acceptedAt"
    FROM profit_sharing_returns
    WHERE out_return_no = ${outReturnNo} AND status IN ('pending', 'processing') FOR NO KEY UPDATE`;
  if (!row) return;
  const status: ShareReturnStatus = STATUS_OF[report.result];
  await tx.profitSharingReturn.updateMany({
    where: { outReturnNo },
    data: {
      status,
      failReason: report.failReason,
      nextQueryAt: status === 'processing' ? report.nextQueryAt : null,
      ...(report.returnId === null ? {} : { returnId: report.returnId }),
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
    const evidence = { out_return_no: outReturnNo, amount: amountFen, why: report.failReason };
    await openTakeBackIntervention(scope, refund, evidence);
  }
}
