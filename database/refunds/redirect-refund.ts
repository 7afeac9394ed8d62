// Starts the request that tells WeChat where the money of an abnormal refund shall go.
import type { DatabaseContext, Tx } from '../core/context';
import { isUndecided, startAttempt } from '../requests/numbered-attempts';
import type { TurnScope } from '../requests/numbered-turn';
import {
  lockRefund,
  refundAttempts,
  storedRefund,
  type LockedRefund,
  type StoredRefund,
} from './lock-refund';
import { hasOpenIntervention } from './open-refund-intervention';
import { takeRefundToken } from './refund-limits';

/** Where an abnormal refund shall go, as a person decided. */
export type RefundTarget =
  | {
      readonly kind: 'user_bank_card';
      readonly bankType: string;
      readonly bankAccount: string;
      readonly realName: string;
    }
  | { readonly kind: 'merchant_bank_card' };

/** A request to redirect an abnormal refund; its attempt is recorded. */
export interface Redirect {
  readonly kind: 'redirect';
  readonly attemptId: string;
  readonly request: StoredRefund;
  /** WeChat's number of the refund. */
  readonly refundId: string;
  readonly target: RefundTarget;
}

/** True while the outcome of an attempt to redirect the refund is not known. */
export function mayBeRedirected(tx: Tx, outRefundNo: string): Promise<boolean> {
  return isUndecided(tx, refundAttempts(outRefundNo, 'abnormal'));
}

/** As many refund requests are under way as may fail at once: the run comes back. */
export interface RedirectWait {
  readonly kind: 'wait';
  readonly delayMs: number;
}

/** The turn that decides on a redirect. */
export interface RedirectScope extends TurnScope {
  /** The wait while as many requests are under way as may fail at once. */
  readonly busyMs: number;
}

/**
 * Records an attempt to redirect an abnormal refund. WeChat counts it like every refund request
 * that fails, so it needs a token too.
 * @returns null when no person has decided where it shall go
 */
export async function redirect(
  { cipher }: DatabaseContext,
  scope: RedirectScope,
  refund: LockedRefund,
): Promise<Redirect | RedirectWait | null> {
  const { outRefundNo, abnormalEncrypted, refundId } = refund;
  if (abnormalEncrypted === null || refundId === null) return null;
  if (!(await takeRefundToken(scope.tx))) return { kind: 'wait', delayMs: scope.busyMs };
  const place = { table: 'refunds', column: 'abnormal', row: outRefundNo };
  const target = readTarget(cipher.decrypt(place, abnormalEncrypted));
  const attemptId = await startAttempt(scope, refundAttempts(outRefundNo, 'abnormal'));
  return { kind: 'redirect', attemptId, request: storedRefund(refund), refundId, target };
}

function readTarget(text: string): RefundTarget {
  const given = JSON.parse(text) as Record<string, string>;
  if (given['to'] === 'merchant_bank_card') return { kind: 'merchant_bank_card' };
  return {
    kind: 'user_bank_card',
    bankType: given['bank_type'] ?? '',
    bankAccount: given['bank_account'] ?? '',
    realName: given['real_name'] ?? '',
  };
}

/**
 * WeChat reports the refund as abnormal still: records another attempt to redirect it.
 * @returns null when the refund isn't abnormal here any more, or an intervention is open
 */
export async function redirectAgain(
  context: DatabaseContext,
  outRefundNo: string,
  limits: Pick<RedirectScope, 'attemptLifeMs' | 'busyMs'>,
  nowMs: number,
): Promise<Redirect | RedirectWait | null> {
  return context.prisma.$transaction(async (tx) => {
    const refund = await lockRefund(tx, outRefundNo);
    if (refund?.status !== 'abnormal' || (await hasOpenIntervention(tx, refund))) return null;
    return redirect(context, { tx, now: new Date(nowMs), ...limits }, refund);
  });
}
