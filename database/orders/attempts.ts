import type { ErrorCode } from '../../domain/error-catalogue';
import type { Transaction } from '../core/context';

/** What WeChat said when it refused. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly wechatCode: string;
  readonly message: string;
  readonly requestId: string | null;
}

export type AttemptOutcome = 'accepted' | 'refused' | 'unknown';

/** A run is this late before the sweep of the api starts it again. */
export const DUE_GRACE_MS = 15_000;
/** Effects and deliveries of an order are under way this long before its run is looked for. */
export const SETTLE_GRACE_MS = 60_000;

/** Notes how an attempt ended. */
export async function settleAttempt(
  tx: Transaction,
  attemptId: string,
  outcome: AttemptOutcome,
  code: string | null,
  requestId: string | null,
  now: Date,
): Promise<void> {
  await tx.providerAttempt.updateMany({
    where: { id: attemptId },
    data: { outcome, code, requestId, finishedAt: now },
  });
}

/** True when WeChat accepted a prepay of the order, or may have. */
export async function mayExistAtWechat(tx: Transaction, outTradeNo: string): Promise<boolean> {
  const attempts = await tx.providerAttempt.findMany({
    where: { outTradeNo, operation: 'prepay' },
    select: { outcome: true },
  });
  return attempts.some(({ outcome }) => outcome !== 'refused');
}
