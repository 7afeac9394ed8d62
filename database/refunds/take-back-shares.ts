// Takes shares back before a refund that needs them: plans share returns, and takes their turns.
import { fen, type Fen } from '../../domain/money';
import { RETURNABLE_MS, shortfallOf } from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';
import { EARLY_MS } from '../core/due-times';
import { lockTransaction } from '../core/lock-transaction';
import { mayBeTaken, startAttempt } from '../requests/numbered-attempts';
import type { NumberedTurn, TurnScope } from '../requests/numbered-turn';
import {
  dropUnsentShareReturns,
  lockShareReturns,
  shareReturnAttempts,
  storedShareReturn,
  type LockedShareReturn,
  type StoredShareReturn,
} from '../sharing/lock-share-returns';
import { makeOwnNumber } from '../sharing/make-own-number';
import type { LockedRefund } from './lock-refund';
import { openTakeBackIntervention } from './open-refund-intervention';

/** The step that has to happen before a refund is sent. */
export type TakeBackTurn =
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Receivers have less than the refund needs: an intervention is open. */
  | { readonly kind: 'person_needed'; readonly outTradeNo: string }
  | {
      readonly kind: 'take_back';
      readonly turn: Exclude<NumberedTurn<StoredShareReturn>, { kind: 'wait' }>;
    };

/** Receiver that can return money. */
interface Returnable {
  readonly id: string;
  readonly outOrderNo: string;
  readonly line: number;
  readonly leftFen: Fen;
  /** Share returns from this receiver for this refund until now. */
  readonly before: number;
}

/** While other requests about the payment are under way, the run looks again after this. */
const BLOCKED_MS = 10_000;

/**
 * Decides what has to happen before a refund is first sent: where receivers hold money that it
 * needs, that is taken back first.
 * @returns null when nothing has to
 */
export async function takeBackTurn(
  context: DatabaseContext,
  scope: TurnScope,
  refund: LockedRefund,
): Promise<TakeBackTurn | null> {
  const { tx } = scope;
  const { outRefundNo, outTradeNo } = refund;
  if (refund.shortAcceptedAt !== null) return null;
  const lackingFen = await shortfall(tx, refund);
  let open = await lockShareReturns(tx, outRefundNo);
  if (open.reduce((sum, { amountFen }) => sum + amountFen, 0) > lackingFen) {
    // The refund needs less than was planned: what was not begun is not taken from anybody.
    await dropUnsentShareReturns(scope, outRefundNo);
    open = await lockShareReturns(tx, outRefundNo);
  }
  if (open[0]) return shareReturnTurn(context, scope, refund, open[0]);
  if (lackingFen === 0) return null;
  if (await isUnsettled(tx, refund)) return { kind: 'wait', delayMs: BLOCKED_MS };
  const isPlanned = await planShareReturns(context, scope, refund, lackingFen);
  if (!isPlanned) return { kind: 'person_needed', outTradeNo };
  const [first] = await lockShareReturns(tx, outRefundNo);
  if (!first) throw new Error(`No share return was planned for refund ${outRefundNo}`);
  return shareReturnTurn(context, scope, refund, first);
}

/**
 * Follows share returns to their end that were begun for a refund which has ended without them:
 * WeChat may have carried them out, and other requests about the payment wait for the result.
 * @returns null when none is left
 */
export async function finishTakeBacks(
  context: DatabaseContext,
  scope: TurnScope,
  refund: LockedRefund,
): Promise<TakeBackTurn | null> {
  await dropUnsentShareReturns(scope, refund.outRefundNo);
  const [open] = await lockShareReturns(scope.tx, refund.outRefundNo);
  return open ? shareReturnTurn(context, scope, refund, open) : null;
}

/** The fen that the refund lacks, because receivers hold them. */
async function shortfall(tx: Tx, refund: LockedRefund): Promise<Fen> {
  const paid = await lockTransaction(tx, refund.transactionKey);
  if (!paid) return fen(0);
  return shortfallOf({ ...paid, totalFen: paid.totalFen ?? fen(0) }, refund.amountFen);
}

/** True while the payment is being shared, or shares are taken back for another of its refunds. */
async function isUnsettled(tx: Tx, refund: LockedRefund): Promise<boolean> {
  const [seen] = await tx.$queryRaw<{ unsettled: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM profit_sharings s
        WHERE s.transaction_key = ${refund.transactionKey}::uuid AND s.kind = 'share'
          AND s.status IN ('pending', 'processing'))
      OR EXISTS (SELECT 1 FROM profit_sharing_returns b JOIN refunds r USING (out_refund_no)
        WHERE r.transaction_key = ${refund.transactionKey}::uuid
          AND b.status IN ('pending', 'processing')) AS unsettled`;
  return seen?.unsettled ?? false;
}

/**
 * Plans share returns from the receivers that hold most, so that they are as few as possible.
 * @returns false when receivers hold less than is lacking: an intervention is open instead
 */
async function planShareReturns(
  context: DatabaseContext,
  scope: TurnScope,
  refund: LockedRefund,
  lackingFen: Fen,
): Promise<boolean> {
  const { tx, now } = scope;
  const { outRefundNo } = refund;
  const sources = await readReturnable(scope, refund);
  const returnable = sources.reduce((sum, { leftFen }) => sum + leftFen, 0);
  if (returnable < lackingFen) {
    await openTakeBackIntervention(scope, refund, { lacking: lackingFen, returnable });
    return false;
  }
  let restFen: number = lackingFen;
  for (const { id, outOrderNo, line, leftFen, before } of sources) {
    if (restFen === 0) break;
    const amountFen = Math.min(leftFen, restFen);
    restFen -= amountFen;
    const outReturnNo = makeOwnNumber(context, ['return', outRefundNo, outOrderNo, line, before]);
    const row = { outReturnNo, outOrderNo, receiverId: id, outRefundNo, amountFen, createdAt: now };
    await tx.profitSharingReturn.createMany({ data: [row] });
  }
  return true;
}

/** Receivers of the payment that can return money, those that hold most first. */
function readReturnable({ tx, now }: TurnScope, refund: LockedRefund): Promise<Returnable[]> {
  const since = new Date(now.getTime() - RETURNABLE_MS);
  return tx.$queryRaw<Returnable[]>`
    SELECT r.id::text, r.out_order_no AS "outOrderNo", r.line,
      r.amount_fen - r.returned_fen AS "leftFen",
      (SELECT count(*) FROM profit_sharing_returns b
        WHERE b.receiver_id = r.id AND b.out_refund_no = ${refund.outRefundNo})::int AS before
    FROM profit_sharing_receivers r JOIN profit_sharings s USING (out_order_no)
    WHERE s.transaction_key = ${refund.transactionKey}::uuid AND r.type = 'MERCHANT_ID'
      AND r.result = 'SUCCESS' AND r.amount_fen > r.returned_fen AND s.finished_at >= ${since}
    ORDER BY "leftFen" DESC, r.id`;
}

/** The next step of the run with one share return. */
async function shareReturnTurn(
  context: DatabaseContext,
  scope: TurnScope,
  refund: LockedRefund,
  row: LockedShareReturn,
): Promise<TakeBackTurn> {
  const request = storedShareReturn(context, refund, row);
  const acceptedAtMs = row.acceptedAt?.getTime() ?? null;
  const query = { kind: 'query', request, acceptedAtMs } as const;
  if (row.status === 'processing') {
    const waitMs = (row.nextQueryAt?.getTime() ?? 0) - scope.now.getTime();
    if (waitMs > EARLY_MS) return { kind: 'wait', delayMs: waitMs };
    return { kind: 'take_back', turn: { ...query, mayBeAbsent: false } };
  }
  const attempts = shareReturnAttempts(row);
  if (await mayBeTaken(scope.tx, attempts)) {
    return { kind: 'take_back', turn: { ...query, mayBeAbsent: true } };
  }
  const attemptId = await startAttempt(scope, attempts);
  return { kind: 'take_back', turn: { kind: 'send', attemptId, request } };
}
