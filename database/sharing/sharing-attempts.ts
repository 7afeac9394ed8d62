import { v7 as uuidv7 } from 'uuid';
import type { AttemptOutcome } from '../core/attempt-outcome';
import type { Tx } from '../core/context';

export type SharingOperation = 'receiver' | 'share' | 'unfreeze' | 'return';

/** Outcomes after which WeChat may have what was sent. */
export const MAYBE_TAKEN = { OR: [{ outcome: null }, { outcome: { not: 'refused' } }] };

/** Writes a request before it is sent (P8). @returns the attempt's id */
export async function startSharingAttempt(
  tx: Tx,
  attempt: { outOrderNo: string; operation: SharingOperation; outReturnNo?: string },
  lifeMs: number,
  now: Date,
): Promise<string> {
  const id = uuidv7();
  const deadlineAt = new Date(now.getTime() + lifeMs);
  await tx.profitSharingAttempt.createMany({ data: [{ ...attempt, id, sentAt: now, deadlineAt }] });
  return id;
}

/** Attempts of one request, by what they are about. */
type AboutAttempts =
  | { readonly outReturnNo: string }
  | { readonly outOrderNo: string; readonly operation: SharingOperation };

/** As with refunds: what WeChat doesn't know after an attempt's whole life was never taken. */
export async function settleAbsentAttempts(tx: Tx, about: AboutAttempts, now: Date): Promise<void> {
  await tx.profitSharingAttempt.updateMany({
    where: { ...about, deadlineAt: { lte: now }, ...UNDECIDED },
    data: { outcome: 'refused', code: 'RESOURCE_NOT_EXISTS', finishedAt: now },
  });
}

/** WeChat has other content under the number: none of ours was taken. */
export async function settleForeignAttempts(
  tx: Pick<Tx, 'profitSharingAttempt'>,
  about: AboutAttempts,
  now: Date,
): Promise<void> {
  await tx.profitSharingAttempt.updateMany({
    where: { ...about, ...UNDECIDED },
    data: { outcome: 'refused', code: 'OUT_TRADE_NO_USED', finishedAt: now },
  });
}

const UNDECIDED = { OR: [{ outcome: null }, { outcome: 'unknown' }] };

export async function settleSharingAttempt(
  tx: Tx,
  id: string,
  outcome: AttemptOutcome,
  code: string | null,
  requestId: string | null,
  now: Date,
): Promise<void> {
  await tx.profitSharingAttempt.updateMany({
    where: { id },
    data: { outcome, code, requestId, finishedAt: now },
  });
}
