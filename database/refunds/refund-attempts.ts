import { v7 as uuidv7 } from 'uuid';
import type { AttemptOutcome } from '../core/attempt-outcome';
import type { Tx } from '../core/context';
import type { LockedRefund } from './lock-refund';

/** A request that WeChat has answered with the refund. */
export interface AcceptedAttempt {
  readonly id: string;
  readonly requestId: string | null;
  readonly operation: AttemptOperation;
}

export type AttemptOperation = 'refund' | 'abnormal';

/** Writes a request down before it is sent. @returns its id */
export async function startAttempt(
  tx: Tx,
  row: LockedRefund,
  operation: AttemptOperation,
  lifeMs: number,
  now: Date,
): Promise<string> {
  const id = uuidv7();
  const { outRefundNo } = row;
  const deadlineAt = new Date(now.getTime() + lifeMs);
  await tx.refundAttempt.createMany({
    data: [{ id, outRefundNo, operation, sentAt: now, deadlineAt }],
  });
  return id;
}

/**
 * WeChat doesn't know the number: what was sent so long ago that it can't be on its way any more was never
 * taken (P8).
 */
export async function settleAbsent(tx: Tx, outRefundNo: string, now: Date): Promise<void> {
  await tx.refundAttempt.updateMany({
    where: { outRefundNo, operation: 'refund', deadlineAt: { lte: now }, ...UNDECIDED },
    data: { outcome: 'refused', code: 'RESOURCE_NOT_EXISTS', finishedAt: now },
  });
}

/** WeChat has another refund under the number: none of ours was taken. */
export async function settleForeign(
  tx: Pick<Tx, 'refundAttempt'>,
  outRefundNo: string,
  now: Date,
): Promise<void> {
  await tx.refundAttempt.updateMany({
    where: { outRefundNo, operation: 'refund', ...UNDECIDED },
    data: { outcome: 'refused', code: 'OUT_TRADE_NO_USED', finishedAt: now },
  });
}

const UNDECIDED = { OR: [{ outcome: null }, { outcome: 'unknown' }] };

/** Notes how a request ended. */
export async function settleAttempt(
  tx: Tx,
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
