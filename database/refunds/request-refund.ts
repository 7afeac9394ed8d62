import type { OrderStatus } from '../../domain/orders/order-state';
import { refundNumberFromKey } from '../../domain/refunds/refund-number';
import { audit } from '../core/audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { sqlStateOf } from '../core/errors';
import { claimKey, rememberKey, type IdempotencyGuard } from '../core/idempotency';
import { endInterventions } from '../interventions/open-intervention';
import { findRefund, type RefundView } from '../views/order-details';
import { refundLimit, type RefundLimit } from './check-refund-limit';
import { holdRefund } from './settle-refund';
import { lockOrder } from '../core/order-row';

/** What a shop or an operator asks for. */
export interface RefundRequest {
  readonly outTradeNo: string;
  /** null: made from the key. */
  readonly outRefundNo: string | null;
  readonly amountFen: number;
  readonly reason: string | null;
  readonly restock: boolean;
  readonly revokeCodes: boolean;
}

export type RefundRequestResult =
  /** `repeat`: the same refund was asked for before. */
  | { readonly kind: 'reserved' | 'repeat'; readonly refund: RefundView }
  | { readonly kind: 'unknown_order' | 'key_reused' | 'number_used' }
  | { readonly kind: 'not_refundable'; readonly status: string }
  | { readonly kind: 'exceeds'; readonly leftFen: number }
  | { readonly kind: RefundLimit };

/** Those with money that is not all back. */
const REFUNDABLE: readonly OrderStatus[] = ['paid', 'fulfilled', 'paid_late'];
const UNIQUE_VIOLATION = '23505';

/** Refunds on request: what can't be is refused before anything is written. */
export function createRefundRequests(context: DatabaseContext) {
  return {
    /**
     * Reserves a refund's amount on the order's payment, under the order's lock; its run sends it.
     * @param guard of the caller; needed where the request names no number
     */
    async request(
      request: RefundRequest,
      guard: IdempotencyGuard | null,
      actor: Actor,
      nowMs: number,
    ): Promise<RefundRequestResult> {
      const attempt = () => reserve(context, request, guard, actor, new Date(nowMs));
      try {
        return await attempt();
      } catch (error) {
        // Another order took the number at the same moment: now it can be seen.
        if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
        return attempt();
      }
    },
  };
}

function reserve(
  context: DatabaseContext,
  request: RefundRequest,
  guard: IdempotencyGuard | null,
  actor: Actor,
  now: Date,
): Promise<RefundRequestResult> {
  const { outTradeNo } = request;
  return context.prisma.$transaction(async (tx): Promise<RefundRequestResult> => {
    const outRefundNo = numberOf(context, request, guard);
    if (guard) {
      const claim = await claimKey(tx, guard, context.hash.hex('body', guard.body));
      if (claim.kind === 'key_reused') return claim;
    }
    const order = await lockOrder(tx, outTradeNo);
    if (!order) return { kind: 'unknown_order' };
    const known = await repeated(tx, request, outRefundNo);
    if (known?.kind === 'repeat' && guard) await rememberKey(context, tx, guard, outTradeNo);
    if (known) return known;
    if (!REFUNDABLE.includes(order.status)) {
      return { kind: 'not_refundable', status: order.status };
    }
    const paid = await tx.paymentTransaction.findFirstOrThrow({
      where: { orderNo: outTradeNo, status: 'applied' },
      select: { id: true, totalFen: true, heldFen: true },
    });
    const limit = await refundLimit(tx, paid.id, now);
    if (limit !== null) return { kind: limit };
    const { amountFen, reason, restock, revokeCodes } = request;
    const reservation = await holdRefund(tx, {
      outRefundNo,
      outTradeNo,
      transactionKey: paid.id,
      origin: 'api',
      amountFen,
      notifyUrl: context.notifyUrl,
      replaces: null,
      reason,
      restock,
      revokeCodes,
      now,
    });
    if (reservation === 'exists') {
      // Another order took the number while this one looked: seen now, it is never free again.
      return (await repeated(tx, request, outRefundNo)) ?? { kind: 'number_used' };
    }
    const leftFen = (paid.totalFen ?? 0) - paid.heldFen;
    if (reservation !== 'reserved') return { kind: 'exceeds', leftFen };
    // Whether the order goes on with late money is no question once all of it goes back.
    if (amountFen === leftFen) await endInterventions(tx, outTradeNo, ['late_payment'], now);
    if (guard) await rememberKey(context, tx, guard, outTradeNo);
    const details = { out_refund_no: outRefundNo, amount: amountFen, restock, revokeCodes };
    await audit(tx, actor, 'refund.request', outTradeNo, details);
    return { kind: 'reserved', refund: await viewOf(tx, outTradeNo, outRefundNo) };
  });
}

function numberOf(
  { hash }: DatabaseContext,
  { outRefundNo }: RefundRequest,
  guard: IdempotencyGuard | null,
): string {
  if (outRefundNo !== null) return outRefundNo;
  if (!guard) throw new TypeError('A refund needs a number or an Idempotency-Key');
  const asked = JSON.stringify([guard.apiKeyName, guard.route, guard.key]);
  return refundNumberFromKey(hash.hex('refund', asked));
}

/** A number means one refund of one order for ever. */
async function repeated(
  tx: Tx,
  request: RefundRequest,
  outRefundNo: string,
): Promise<RefundRequestResult | null> {
  const known = await tx.refund.findUnique({
    where: { outRefundNo },
    select: { orderNo: true, amountFen: true, reason: true, restock: true, revokeCodes: true },
  });
  if (!known) return null;
  const same =
    known.orderNo === request.outTradeNo &&
    known.amountFen === request.amountFen &&
    known.reason === request.reason &&
    known.restock === request.restock &&
    known.revokeCodes === request.revokeCodes;
  if (!same) return { kind: 'number_used' };
  return { kind: 'repeat', refund: await viewOf(tx, request.outTradeNo, outRefundNo) };
}

async function viewOf(tx: Tx, outTradeNo: string, outRefundNo: string): Promise<RefundView> {
  const refund = await findRefund({ prisma: tx }, outTradeNo, outRefundNo);
  if (!refund) throw new Error(`No refund ${outRefundNo}`);
  return refund;
}
