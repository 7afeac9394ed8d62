// Decides what the run of a sharing does next, under the sharing's lock.
import type { OrderNumber } from '../../domain/orders/order-number';
import {
  isSharingSettled,
  type SharingKind,
  type SharingStatus,
} from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';
import { EARLY_MS } from '../core/due-times';
import { mayBeTaken, startAttempt } from '../requests/numbered-attempts';
import type { NumberedTurn, TurnScope } from '../requests/numbered-turn';
import { lockSharing, sharingAttempts, type LockedSharing } from './lock-sharing';
import { readReceivers, type Receiver } from './read-receivers';

/** All of a sharing's request, stored with it: the same bytes at every attempt (P8). */
export interface StoredSharing {
  readonly outOrderNo: string;
  readonly outTradeNo: OrderNumber;
  readonly kind: SharingKind;
  readonly merchantId: string;
  readonly appId: string;
  readonly transactionId: string;
  readonly description: string;
  readonly receivers: readonly Receiver[];
}

/** The next step of a sharing's run. */
export type SharingTurn =
  | NumberedTurn<StoredSharing>
  /** Nothing is left to do: the sharing is settled, or a person is needed. */
  | { readonly kind: 'over'; readonly status: SharingStatus | 'unknown_sharing' }
  /** Makes a receiver known to WeChat; a repeat changes nothing there. The attempt is recorded. */
  | {
      readonly kind: 'register';
      readonly attemptId: string;
      readonly request: StoredSharing;
      readonly receiver: Receiver;
    };

/** While other sharings hold an unfreeze up, its run looks again after this. */
const BLOCKED_MS = 10_000;

/** A sharing that WeChat may be working on. */
export interface SharingUnderWay {
  readonly status: SharingStatus | 'unknown_sharing';
  /** null unless WeChat works on it. */
  readonly request: StoredSharing | null;
  /** Unix ms; null before WeChat accepted it. */
  readonly acceptedAtMs: number | null;
}

/** Decides what the run of a sharing does next; it records the attempt that the run is to send. */
export async function takeSharingTurn(
  context: DatabaseContext,
  scope: TurnScope,
  outOrderNo: string,
): Promise<SharingTurn> {
  const { tx, now } = scope;
  const sharing = await lockSharing(tx, outOrderNo);
  if (!sharing) return { kind: 'over', status: 'unknown_sharing' };
  if (isSharingSettled(sharing.status) || (await hasOpenIntervention(tx, sharing))) {
    return over(tx, sharing);
  }
  if (sharing.status === 'processing') {
    const waitMs = (sharing.nextQueryAt?.getTime() ?? 0) - now.getTime();
    if (waitMs > EARLY_MS) return { kind: 'wait', delayMs: waitMs };
    return queryTurn(context, tx, sharing, false);
  }
  if (await mayBeTaken(tx, sharingAttempts(outOrderNo, sharing.kind))) {
    return queryTurn(context, tx, sharing, true);
  }
  const earlyMs = sharing.notBefore.getTime() - now.getTime();
  if (earlyMs > 0) return { kind: 'wait', delayMs: earlyMs };
  if (sharing.kind === 'unfreeze') {
    if (await closeIfNeedless(scope, sharing)) return { kind: 'over', status: 'closed' };
    if (await isBlocked(tx, sharing)) return { kind: 'wait', delayMs: BLOCKED_MS };
  }
  return sendTurn(context, scope, sharing);
}

/** Receivers are made known first, one a turn; then the sharing itself is sent. */
async function sendTurn(
  context: DatabaseContext,
  scope: TurnScope,
  sharing: LockedSharing,
): Promise<SharingTurn> {
  const { outOrderNo, kind } = sharing;
  const request = await storedSharing(context, scope.tx, sharing);
  const receiver = request.receivers.find(({ registeredAt }) => registeredAt === null);
  const operation = receiver ? 'receiver' : kind;
  const attemptId = await startAttempt(scope, sharingAttempts(outOrderNo, operation));
  return receiver
    ? { kind: 'register', attemptId, request, receiver }
    : { kind: 'send', attemptId, request };
}

/** Reads what WeChat works on at the moment, for a query at once; else how the sharing stands. */
export async function readUnderWay(
  context: DatabaseContext,
  tx: Tx,
  outOrderNo: string,
): Promise<SharingUnderWay> {
  const sharing = await lockSharing(tx, outOrderNo);
  if (!sharing) return { status: 'unknown_sharing', request: null, acceptedAtMs: null };
  const isTaken = sharing.status === 'processing';
  return {
    status: sharing.status,
    request: isTaken ? await storedSharing(context, tx, sharing) : null,
    acceptedAtMs: sharing.acceptedAt?.getTime() ?? null,
  };
}

/** True while an intervention about this sharing is open: its run waits for the resolution. */
async function hasOpenIntervention(tx: Tx, sharing: LockedSharing): Promise<boolean> {
  const { outTradeNo, outOrderNo: subject } = sharing;
  const open = { outTradeNo, status: 'open', reason: 'sharing_failed', subject };
  return (await tx.intervention.count({ where: open })) > 0;
}

/** Nothing is due of a sharing that has ended or waits for a person. */
async function over(tx: Tx, { outOrderNo, status }: LockedSharing): Promise<SharingTurn> {
  await tx.profitSharing.updateMany({
    where: { outOrderNo, dueAt: { not: null } },
    data: { dueAt: null },
  });
  return { kind: 'over', status };
}

async function queryTurn(
  context: DatabaseContext,
  tx: Tx,
  sharing: LockedSharing,
  mayBeAbsent: boolean,
): Promise<SharingTurn> {
  const request = await storedSharing(context, tx, sharing);
  const acceptedAtMs = sharing.acceptedAt?.getTime() ?? null;
  return { kind: 'query', request, acceptedAtMs, mayBeAbsent };
}

/** Closes the unfreeze at the deadline when all is unfrozen, shared or refunded already. */
async function closeIfNeedless({ tx, now }: TurnScope, sharing: LockedSharing): Promise<boolean> {
  if (sharing.origin !== 'deadline') return false;
  const [seen] = await tx.$queryRaw<{ needless: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM profit_sharings u WHERE u.transaction_key = t.id
        AND u.kind = 'unfreeze' AND u.status = 'finished')
      OR coalesce(t.total_fen, 0) <= t.refunded_fen + (SELECT coalesce(sum(r.amount_fen), 0)
        FROM profit_sharings s JOIN profit_sharing_receivers r USING (out_order_no)
        WHERE s.transaction_key = t.id AND r.result = 'SUCCESS') AS needless
    FROM payment_transactions t WHERE t.id = ${sharing.transactionKey}::uuid`;
  if (seen?.needless !== true) return false;
  await tx.profitSharing.updateMany({
    where: { outOrderNo: sharing.outOrderNo, status: sharing.status },
    data: { status: 'closed', closedAt: now, dueAt: null },
  });
  return true;
}

/**
 * True while the payment is being shared: an unfreeze comes after that. A sharing that waits for a
 * person holds nothing up.
 */
async function isBlocked(tx: Tx, sharing: LockedSharing): Promise<boolean> {
  const [seen] = await tx.$queryRaw<{ blocked: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM profit_sharings s
      WHERE s.transaction_key = ${sharing.transactionKey}::uuid AND s.kind = 'share'
        AND s.status IN ('pending', 'processing') AND NOT EXISTS (SELECT 1 FROM interventions i
          WHERE i.out_trade_no = s.out_trade_no AND i.status = 'open'
            AND i.reason = 'sharing_failed' AND i.subject = s.out_order_no)) AS blocked`;
  return seen?.blocked ?? false;
}

async function storedSharing(
  context: DatabaseContext,
  tx: Tx,
  sharing: LockedSharing,
): Promise<StoredSharing> {
  const { outOrderNo, outTradeNo, kind, merchantId, appId, transactionId, description } = sharing;
  const receivers = await readReceivers(context, tx, outOrderNo);
  return { outOrderNo, outTradeNo, kind, merchantId, appId, transactionId, description, receivers };
}
