// Takes the request for a refund: a repeat finds the same one, a new one holds its amount.
import type { Fen } from '../../domain/money';
import type { OrderStatus } from '../../domain/orders/order-state';
import { refundNumberFromKey } from '../../domain/refunds/refund-number';
import { audit } from '../core/write-audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { sqlStateOf } from '../core/classify-errors';
import { claimKey, recordKey, type IdempotencyGuard } from '../core/claim-idempotency-key';
import { lockOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import { endInterventions } from '../interventions/open-intervention';
import { findRefund, type RefundView } from '../views/read-order-details';
import { refundLimit, type RefundLimit } from './refund-limits';
import { holdRefund } from './hold-refund';

/** A refund that a shop or an operator requests. */
export interface RefundRequest {
  readonly outTradeNo: string;
  /** null: the number is made from the caller's Idempotency-Key. */
  readonly outRefundNo: string | null;
  readonly amountFen: Fen;
  readonly reason: string | null;
  readonly restock: boolean;
  readonly revokeCodes: boolean;
}

export type RefundRequestResult =
  /** `repeat`: the same refund was requested before. */
  | { readonly kind: 'reserved' | 'repeat'; readonly refund: RefundView }
  | { readonly kind: 'unknown_order' | 'key_reused' | 'number_used' }
  | { readonly kind: 'not_refundable'; readonly status: string }
  | { readonly kind: 'exceeds'; readonly leftFen: number }
  | { readonly kind: RefundLimit };

/** A request with the key that guards it, and its caller. */
interface GuardedRequest extends RefundRequest {
  readonly guard: IdempotencyGuard | null;
  readonly actor: Actor;
}

/** Statuses of orders that were paid and are not refunded whole. */
const REFUNDABLE: readonly OrderStatus[] = ['paid', 'fulfilled', 'paid_late'];
const UNIQUE_VIOLATION = '23505';

/**
 * Refunds on request. A request that can't be carried out is refused before anything is written.
 */
export function createRefundRequests(context: DatabaseContext) {
  return {
    /**
     * Holds a refund's amount on the order's payment, under the order's lock; the refund's run
     * sends it.
     * @param guard the caller's Idempotency-Key; null is possible only where the request has a
     * number
     */
    async request(
      request: RefundRequest,
      guard: IdempotencyGuard | null,
      actor: Actor,
      nowMs: number,
    ): Promise<RefundRequestResult> {
      const attempt = () =>
        context.prisma.$transaction((tx) =>
          requestRefund(context, { tx, now: new Date(nowMs) }, { ...request, guard, actor }),
        );
      try {
        return await attempt();
      } catch (error) {
        // Another order took the number at the same moment: the second attempt sees it.
        if (sqlStateOf(error) !== UNIQUE_VIOLATION) throw error;
        return attempt();
      }
    },
  };
}

async function requestRefund(
  context: DatabaseContext,
  scope: TxScope,
  request: GuardedRequest,
): Promise<RefundRequestResult> {
  const { tx } = scope;
  const { outTradeNo, guard } = request;
  const outRefundNo = numberOf(context, request);
  if (guard) {
    const claim = await claimKey(tx, guard, context.hash.hex('body', guard.body));
    if (claim.kind === 'key_reused') return claim;
  }
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return { kind: 'unknown_order' };
  const known = await findRepeated(tx, request, outRefundNo);
  if (known?.kind === 'repeat' && guard) await recordKey(context, tx, guard, outTradeNo);
  if (known) return known;
  if (!REFUNDABLE.includes(order.status)) {
    return { kind: 'not_refundable', status: order.status };
  }
  const result = await holdRequested(context, scope, { ...request, outRefundNo });
  if (result.kind === 'reserved' && guard) await recordKey(context, tx, guard, outTradeNo);
  if (result.kind === 'reserved') await auditRequest(tx, { ...request, outRefundNo });
  return result;
}

/** Holds the amount on the payment that has paid the order, within WeChat's limits. */
async function holdRequested(
  context: DatabaseContext,
  { tx, now }: TxScope,
  request: GuardedRequest & { readonly outRefundNo: string },
): Promise<RefundRequestResult> {
  const { outTradeNo, outRefundNo, amountFen } = request;
  const paid = await tx.paymentTransaction.findFirstOrThrow({
    where: { orderNo: outTradeNo, status: 'applied' },
    select: { id: true, totalFen: true, heldFen: true },
  });
  const limit = await refundLimit(tx, paid.id, now);
  if (limit !== null) return { kind: limit };
  const hold = await holdRefund(tx, {
    outRefundNo,
    outTradeNo,
    transactionKey: paid.id,
    origin: 'api',
    amountFen,
    notifyUrl: context.notifyUrl,
    replaces: null,
    reason: request.reason,
    restock: request.restock,
    revokeCodes: request.revokeCodes,
    now,
  });
  if (hold === 'exists') {
    // Another order took the number during this transaction: it is visible now, and stays taken.
    return (await findRepeated(tx, request, outRefundNo)) ?? { kind: 'number_used' };
  }
  const leftFen = (paid.totalFen ?? 0) - paid.heldFen;
  if (hold !== 'held') return { kind: 'exceeds', leftFen };
  // Once all of a late payment is refunded, no person has to decide about it.
  if (amountFen === leftFen) {
    await endInterventions(tx, { outTradeNo, reasons: ['late_payment'], now });
  }
  return { kind: 'reserved', refund: await viewOf(tx, outTradeNo, outRefundNo) };
}

async function auditRequest(tx: Tx, request: GuardedRequest): Promise<void> {
  const { actor, outTradeNo, outRefundNo, amountFen, restock, revokeCodes } = request;
  const details = { out_refund_no: outRefundNo, amount: amountFen, restock, revokeCodes };
  await audit(tx, actor, { action: 'refund.request', subject: outTradeNo, details });
}

function numberOf({ hash }: DatabaseContext, { outRefundNo, guard }: GuardedRequest): string {
  if (outRefundNo !== null) return outRefundNo;
  if (!guard) throw new TypeError('A refund needs a number or an Idempotency-Key');
  const { client, route, key } = guard;
  return refundNumberFromKey(hash.hex('refund', JSON.stringify([client, route, key])));
}

/** Finds the refund that has the number: one number means one refund of one order at all times. */
async function findRepeated(
  tx: Tx,
  request: RefundRequest,
  outRefundNo: string,
): Promise<RefundRequestResult | null> {
  const known = await tx.refund.findUnique({
    where: { outRefundNo },
    select: { orderNo: true, amountFen: true, reason: true, restock: true, revokeCodes: true },
  });
  if (!known) return null;
  const isSame =
    known.orderNo === request.outTradeNo &&
    known.amountFen === request.amountFen &&
    known.reason === request.reason &&
    known.restock === request.restock &&
    known.revokeCodes === request.revokeCodes;
  if (!isSame) return { kind: 'number_used' };
  return { kind: 'repeat', refund: await viewOf(tx, request.outTradeNo, outRefundNo) };
}

async function viewOf(tx: Tx, outTradeNo: string, outRefundNo: string): Promise<RefundView> {
  const refund = await findRefund({ prisma: tx }, outTradeNo, outRefundNo);
  if (!refund) throw new Error(`No refund ${outRefundNo}`);
  return refund;
}
