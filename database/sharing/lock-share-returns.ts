// Locks the returns of shares (WeChat's 分账回退) that a refund is waiting for, and abandons them.
import type { Fen } from '../../domain/money';
import type { ShareReturnStatus } from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import { MAYBE_TAKEN, type RequestAttempts } from '../requests/numbered-attempts';
import { receiverPlace } from './read-receivers';

/**
 * All of the request that takes one receiver's share back: the same bytes at every attempt (P8).
 */
export interface StoredShareReturn {
  readonly outReturnNo: string;
  /** Of the sharing. */
  readonly outOrderNo: string;
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly transactionId: string;
  /** Merchant id of the receiver that returns the money. */
  readonly returnMchid: string;
  readonly amountFen: Fen;
}

declare const lockProof: unique symbol;

/** A share return that has not ended, locked until the transaction ends. Made here alone. */
export interface LockedShareReturn {
  readonly [lockProof]: true;
  readonly outReturnNo: string;
  readonly outOrderNo: string;
  readonly receiverId: string;
  readonly amountFen: Fen;
  readonly status: ShareReturnStatus;
  readonly nextQueryAt: Date | null;
  readonly acceptedAt: Date | null;
  readonly accountEncrypted: string;
}

/** The attempts of one share return. */
export function shareReturnAttempts(shareReturn: {
  readonly outOrderNo: string;
  readonly outReturnNo: string;
}): RequestAttempts {
  const { outOrderNo, outReturnNo } = shareReturn;
  const columns = { out_order_no: outOrderNo, out_return_no: outReturnNo, operation: 'return' };
  return { table: 'profit_sharing_attempts', columns };
}

/** Locks a refund's share returns that have not ended, in the order in which they are sent. */
export function lockShareReturns(tx: Tx, outRefundNo: string): Promise<LockedShareReturn[]> {
  return tx.$queryRaw<LockedShareReturn[]>`
    SELECT b.out_return_no AS "outReturnNo", b.out_order_no AS "outOrderNo",
      b.receiver_id::text AS "receiverId", b.amount_fen AS "amountFen", b.status,
      b.next_query_at AS "nextQueryAt", b.accepted_at AS "acceptedAt",
      r.account_encrypted AS "accountEncrypted"
    FROM profit_sharing_returns b JOIN profit_sharing_receivers r ON r.id = b.receiver_id
    WHERE b.out_refund_no = ${outRefundNo} AND b.status IN ('pending', 'processing')
    ORDER BY b.created_at, b.amount_fen DESC, b.out_return_no FOR NO KEY UPDATE OF b`;
}

/** The content of a share return's requests, its receiver in clear text. */
export function storedShareReturn(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  refund: Pick<StoredShareReturn, 'outRefundNo' | 'outTradeNo' | 'merchantId' | 'transactionId'>,
  row: LockedShareReturn,
): StoredShareReturn {
  const { outRefundNo, outTradeNo, merchantId, transactionId } = refund;
  return {
    outReturnNo: row.outReturnNo,
    outOrderNo: row.outOrderNo,
    outRefundNo,
    outTradeNo,
    merchantId,
    transactionId,
    returnMchid: cipher.decrypt(receiverPlace('account', row.receiverId), row.accountEncrypted),
    amountFen: row.amountFen,
  };
}

/**
 * True while WeChat may carry out a share return of this refund: nothing else can be decided
 * before.
 */
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

/**
 * Ends the share returns of a refund that WeChat can't have, because the refund doesn't need them.
 */
export async function dropUnsentShareReturns(
  { tx, now }: TxScope,
  outRefundNo: string,
): Promise<void> {
  await tx.profitSharingReturn.updateMany({
    where: { outRefundNo, status: 'pending', attempts: { none: MAYBE_TAKEN } },
    data: { status: 'failed', failReason: 'NOT_NEEDED', finishedAt: now },
  });
}

/**
 * Ends all share returns of a refund that have not ended. The caller has made sure that WeChat
 * can't have them: see {@link mayBeTakenBack}.
 * @param failReason why: a code of WeChat's or of ours
 */
export async function abandonShareReturns(
  { tx, now }: TxScope,
  outRefundNo: string,
  failReason: string,
): Promise<void> {
  await tx.profitSharingReturn.updateMany({
    where: { outRefundNo, status: { in: ['pending', 'processing'] } },
    data: { status: 'failed', failReason, nextQueryAt: null, finishedAt: now },
  });
}
