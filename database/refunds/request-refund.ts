// Takes the request for a refund: a repeat finds the same one, a new one holds its amount.
import type { Fen } from '../../domain/money';
import type { OrderStatus } from '../../domain/orders/order-state';
import { isMachine } from '../../domain/proposals/person';
import { refundNumberFromKey } from '../../domain/refunds/refund-number';
import { audit } from '../core/write-audit';
import type { DatabaseContext, Tx } from '../core/context';
import { sqlStateOf } from '../core/classify-errors';
import { claimKey, recordKey, type IdempotencyGuard } from '../core/claim-idempotency-key';
import { lockOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import { ALONE, moveAlone, moveByMachine, type Permission } from '../proposals/movements';
import type { NewProposal, ProposableRequest, Submission } from '../proposals/proposal-row';
import {
  carriedOutNumber,
  endApproved,
  matchProposal,
  propose,
  type ApprovalRefusal,
} from '../proposals/two-persons';
import { moneyLimits } from '../settings/runtime-settings';
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

/** The caller of a request. */
export interface RefundSubmission extends Submission {
  /** The caller's Idempotency-Key; null only where the request has a number, or approves one. */
  readonly guard: IdempotencyGuard | null;
  /** The body of the request: a proposal keeps it. */
  readonly body: unknown;
}

export type RefundRequestResult =
  /** `repeat`: the same refund was requested before. */
  | { readonly kind: 'reserved' | 'repeat'; readonly refund: RefundView }
  /** A second person has to request the same; nothing is held. */
  | { readonly kind: 'proposed'; readonly proposal: NewProposal }
  | { readonly kind: 'refused'; readonly code: ApprovalRefusal }
  | { readonly kind: 'unknown_order' | 'key_reused' | 'number_used' }
  | { readonly kind: 'not_refundable'; readonly status: string }
  | { readonly kind: 'exceeds'; readonly leftFen: number }
  /** More than a merchant key may refund. */
  | { readonly kind: 'over_bound'; readonly leftFen: number }
  | { readonly kind: RefundLimit };

/** A request with its caller. */
type SubmittedRequest = RefundRequest & RefundSubmission;

/** A request with the number that its refund has. */
type NumberedRequest = SubmittedRequest & { readonly outRefundNo: string };

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
     * sends it. A refund that one person may not make alone becomes a proposal.
     */
    async request(
      request: RefundRequest,
      submission: RefundSubmission,
      nowMs: number,
    ): Promise<RefundRequestResult> {
      const attempt = () =>
        context.limitRows([`order:${request.outTradeNo}`], () =>
          context.prisma.$transaction((tx) =>
            requestRefund(context, { tx, now: new Date(nowMs) }, { ...request, ...submission }),
          ),
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
  request: SubmittedRequest,
): Promise<RefundRequestResult> {
  const { tx } = scope;
  const { outTradeNo, guard } = request;
  if (guard) {
    const claim = await claimKey(tx, guard, context.hash.hex('body', guard.body));
    if (claim.kind === 'key_reused') return claim;
  }
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return { kind: 'unknown_order' };
  const ownNumber = numberOf(context, request);
  const known =
    ownNumber === null
      ? null
      : await findRepeated(tx, request, await carriedOutNumber(tx, 'refund', ownNumber));
  if (known?.kind === 'repeat' && guard) await recordKey(context, tx, guard, outTradeNo);
  if (known) return known;
  if (!REFUNDABLE.includes(order.status)) {
    return { kind: 'not_refundable', status: order.status };
  }
  const result = await holdOrPropose(context, scope, request, ownNumber);
  if (result.kind === 'reserved' && guard) await recordKey(context, tx, guard, outTradeNo);
  return result;
}

/** Holds the refund where its caller may request it alone, or approves a proposal with it. */
async function holdOrPropose(
  context: DatabaseContext,
  scope: TxScope,
  request: SubmittedRequest,
  ownNumber: string | null,
): Promise<RefundRequestResult> {
  const { tx } = scope;
  const proposable = proposableOf(request, ownNumber);
  const match = await matchProposal(context, scope, request, proposable);
  if (match.kind === 'proposed' || match.kind === 'refused') return match;
  const outRefundNo = match.kind === 'approved' ? match.proposal.number : ownNumber;
  if (outRefundNo === null) throw new TypeError('A refund needs a number or an Idempotency-Key');
  const numbered = { ...request, outRefundNo };
  await tx.$executeRaw`SAVEPOINT requested_refund`;
  const held = await holdRequested(context, scope, numbered);
  if (match.kind === 'approved' && (held.kind === 'reserved' || held.kind === 'repeat')) {
    const { outTradeNo } = request;
    const approver = { submission: request, number: ownNumber, outTradeNo };
    await endApproved(context, scope, match.proposal, approver);
  }
  if (held.kind !== 'reserved') return held;
  const may = match.kind === 'new' ? await mayRefund(context, scope, request) : ALONE;
  if (may.kind === 'alone') {
    await auditRequest(tx, numbered);
    return held;
  }
  await tx.$executeRaw`ROLLBACK TO SAVEPOINT requested_refund`;
  if (may.kind === 'over_bound') return may;
  const { actor } = request;
  const replaces = match.kind === 'new' ? match.replaces : null;
  const proposal = await propose(context, scope, { actor, request: proposable, replaces });
  return { kind: 'proposed', proposal };
}

/** The refund as a proposal keeps it. Requests with different numbers of their own differ. */
function proposableOf(request: SubmittedRequest, number: string | null): ProposableRequest {
  const { outTradeNo, outRefundNo, amountFen, reason, restock, revokeCodes, guard } = request;
  return {
    action: 'refund',
    subject: outTradeNo,
    amountFen,
    content: [amountFen, reason, restock, revokeCodes, outRefundNo],
    body: request.body,
    shown: {
      out_refund_no: number,
      amount: amountFen,
      reason,
      restock,
      revoke_codes: revokeCodes,
    },
    number,
    guard,
  };
}

/** Whether the caller may make this refund alone; if so, it counts for the caller's day. */
async function mayRefund(
  context: DatabaseContext,
  scope: TxScope,
  { actor, amountFen, outTradeNo }: SubmittedRequest,
): Promise<Permission> {
  const limits = await moneyLimits(context, scope.tx);
  const movement = { amountFen, action: 'refund', subject: outTradeNo, alwaysTwo: false };
  return isMachine(actor.role)
    ? moveByMachine(scope, actor, movement, limits)
    : moveAlone(scope, actor, movement, limits);
}

/** Holds the amount on the payment that has paid the order, within WeChat's limits. */
async function holdRequested(
  context: DatabaseContext,
  { tx, now }: TxScope,
  request: NumberedRequest,
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

async function auditRequest(tx: Tx, request: NumberedRequest): Promise<void> {
  const { actor, outTradeNo, outRefundNo, amountFen, restock, revokeCodes } = request;
  const details = { out_refund_no: outRefundNo, amount: amountFen, restock, revokeCodes };
  await audit(tx, actor, { action: 'refund.request', subject: outTradeNo, details });
}

/** The number that the request has, or that its key makes; none for an approval by id. */
function numberOf(
  { hash }: DatabaseContext,
  { outRefundNo, guard, approves }: SubmittedRequest,
): string | null {
  if (approves !== null) return null;
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
