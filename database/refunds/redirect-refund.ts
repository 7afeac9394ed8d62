import type { DatabaseContext, Tx } from '../core/context';
import { startAttempt } from './refund-attempts';
import { storedRefund, type LockedRefund, type StoredRefund } from './lock-refund';
import { hasOpenIntervention, lockRefund } from './settle-refund';

/** Where an abnormal refund shall go. */
export type RefundTarget =
  | {
      readonly kind: 'user_bank_card';
      readonly bankType: string;
      readonly bankAccount: string;
      readonly realName: string;
    }
  | { readonly kind: 'merchant_bank_card' };

export interface Redirect {
  readonly kind: 'redirect';
  readonly attemptId: string;
  readonly refund: StoredRefund;
  readonly refundId: string;
  readonly target: RefundTarget;
}

/** True when WeChat may have taken an attempt to redirect it without our knowing. */
export async function mayBeRedirected(tx: Tx, outRefundNo: string): Promise<boolean> {
  const outcome = [{ outcome: null }, { outcome: 'unknown' }];
  const where = { outRefundNo, operation: 'abnormal', OR: outcome };
  return (await tx.refundAttempt.count({ where })) > 0;
}

/** null when nobody has said where it shall go. */
export async function redirect(
  { cipher }: DatabaseContext,
  tx: Tx,
  row: LockedRefund,
  attemptLifeMs: number,
  now: Date,
): Promise<Redirect | null> {
  if (row.abnormalEncrypted === null || row.refundId === null) return null;
  const place = { table: 'refunds', column: 'abnormal', row: row.outRefundNo };
  const given = JSON.parse(cipher.decrypt(place, row.abnormalEncrypted)) as Record<string, string>;
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
  return { kind: 'redirect', attemptId, refund: storedRefund(row), refundId: row.refundId, target };
}

/** WeChat says that it still is abnormal: null when that is no longer so here. */
export async function redirectAgain(
  context: DatabaseContext,
  outRefundNo: string,
  attemptLifeMs: number,
  nowMs: number,
): Promise<Redirect | null> {
  return context.prisma.$transaction(async (tx) => {
    const row = await lockRefund(tx, outRefundNo);
    if (row?.status !== 'abnormal' || (await hasOpenIntervention(tx, row))) return null;
    return redirect(context, tx, row, attemptLifeMs, new Date(nowMs));
  });
}
