// Records the requests about an order that are sent to WeChat, and how they ended.
import type { ErrorCode } from '../../domain/error-catalogue';
import type { AttemptOutcome } from '../core/attempt-outcome';
import type { Tx } from '../core/context';

/** A refusal as WeChat returned it. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly wechatCode: string;
  readonly message: string;
  readonly requestId: string | null;
}

/** How an attempt ended. */
export interface AttemptResult {
  readonly outcome: AttemptOutcome;
  /** WeChat's code or ours; null for an accepted attempt. */
  readonly code: string | null;
  /** WeChat's `Request-ID`; null when no response came. */
  readonly requestId: string | null;
}

/** Records how an attempt ended. */
export async function settleAttempt(
  tx: Tx,
  attemptId: string,
  { outcome, code, requestId }: AttemptResult,
  now: Date,
): Promise<void> {
  await tx.providerAttempt.updateMany({
    where: { id: attemptId },
    data: { outcome, code, requestId, finishedAt: now },
  });
}

/** True when WeChat accepted a prepay of the order, or may have accepted one. */
export async function mayExistAtWechat(tx: Tx, outTradeNo: string): Promise<boolean> {
  const attempts = await tx.providerAttempt.findMany({
    where: { outTradeNo, operation: 'prepay' },
    select: { outcome: true },
  });
  return attempts.some(({ outcome }) => outcome !== 'refused');
}
