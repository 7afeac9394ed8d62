// The routes of an order's refunds.
import type { Database } from '../../database/database';
import { REFUND_LIMIT_TEXTS } from '../../database/refunds/refund-limits';
import type { RefundRequestResult, RefundSubmission } from '../../database/refunds/request-refund';
import { isSettled } from '../../domain/refunds/refund-state';
import { fen, formatFen } from '../../domain/money';
import { numberInPath } from '../http/fields';
import { inTime } from '../http/deadline';
import { guardOf, KEY_FOR_NUMBER } from '../http/idempotency';
import {
  ALL_ROLES,
  CLOSING_ROLES,
  operation,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { orderPath, type OrderPath } from '../http/order-number';
import { ApiError, invalidField, keyReused, noSuchOrder } from '../http/problem';
import { parse } from '../http/validation';
import type { Approvable } from '../proposals/approvable';
import { notApproved, orProposed, proposedReplyOf } from '../proposals/replies';
import type { OrderRuns } from '../temporal/order-runs';
import type { WakeOrLeaveToSweep } from '../temporal/wake-later';
import { refundReply, renderRefund } from './replies';
import { newRefund, type NewRefundBody } from './schemas';

export interface RefundRouteDeps {
  readonly database: Pick<Database, 'orders' | 'refundRequests'>;
  readonly runs: Pick<OrderRuns, 'ensureRefundRun'>;
  readonly wakeOrLeaveToSweep: WakeOrLeaveToSweep;
  readonly now: () => number;
}

/** Part of every number that is derived from a key, so it never changes. */
const ROUTE = 'POST /v1/orders/{no}/refunds';

const refundPath = orderPath.extend({ refund_no: numberInPath });

/** Makes the operations on the refunds of an order. */
export function refundOperations(deps: RefundRouteDeps): Operation[] {
  return [
    operation({
      id: 'createRefund',
      method: 'post',
      path: '/v1/orders/:no/refunds',
      summary: 'Refunds a payment, or a part of it',
      roles: CLOSING_ROLES,
      params: orderPath,
      headers: [KEY_FOR_NUMBER],
      body: newRefund,
      reply: orProposed(refundReply),
      replies: {
        200: 'The refund of an earlier request with the same content; it has ended',
        202: 'The refund is in progress, or it is a proposal that a second person has to approve',
        404: 'There is no order with this number',
        409: 'Not paid, more than is left of the payment, or over a limit',
        422: 'An earlier request had this number or Idempotency-Key with other content',
      },
      handle: (call) => createRefund(deps, call),
    }),
    operation({
      id: 'getRefund',
      method: 'get',
      path: '/v1/orders/:no/refunds/:refund_no',
      summary: 'Reads a refund of an order',
      roles: ALL_ROLES,
      params: refundPath,
      reply: refundReply,
      replies: { 200: 'The refund', 404: 'The order has no refund with this number' },
      handle: async ({ params: { no, refund_no: refundNo } }) => {
        const refund = await inTime(deps.database.orders.findRefund(no, refundNo));
        if (!refund) {
          const detail = `Order ${no} has no refund with this number; check its refunds`;
          throw new ApiError('NOT_FOUND', detail);
        }
        return { status: 200, body: renderRefund(refund) };
      },
    }),
  ];
}

/** The approval of a refund that was proposed. */
export function refundApproval(deps: RefundRouteDeps): Approvable {
  return {
    roles: CLOSING_ROLES,
    reply: refundReply,
    approve: ({ id, subject, body, note }, caller) =>
      requestRefund(deps, subject, parse(newRefund, body), {
        actor: caller,
        guard: null,
        approves: id,
        note,
      }),
  };
}

async function createRefund(
  deps: RefundRouteDeps,
  call: Call<{ params: OrderPath; body: NewRefundBody }>,
): Promise<Reply> {
  const { body, caller } = call;
  const outTradeNo = call.params.no;
  const guard = guardOf(call, ROUTE, { out_trade_no: outTradeNo, ...body });
  if (body.out_refund_no === undefined && guard === null) {
    throw invalidField('out_refund_no', 'is required without an Idempotency-Key');
  }
  return requestRefund(deps, outTradeNo, body, { actor: caller, guard, approves: null });
}

async function requestRefund(
  deps: RefundRouteDeps,
  outTradeNo: string,
  body: NewRefundBody,
  submission: Omit<RefundSubmission, 'body'>,
): Promise<Reply> {
  const request = {
    outTradeNo,
    outRefundNo: body.out_refund_no ?? null,
    amountFen: fen(body.amount),
    reason: body.reason ?? null,
    restock: body.restock ?? false,
    revokeCodes: body.revoke_codes ?? false,
  };
  const { refundRequests } = deps.database;
  const result = await inTime(refundRequests.request(request, { ...submission, body }, deps.now()));
  if (result.kind === 'proposed') return proposedReplyOf(result.proposal);
  if (!('refund' in result)) throw refusalOf(result, outTradeNo);
  const { refund } = result;
  if (result.kind === 'reserved') {
    deps.wakeOrLeaveToSweep(deps.runs.ensureRefundRun(refund.outRefundNo));
  }
  const hasEnded = result.kind === 'repeat' && isSettled(refund.status);
  return { status: hasEnded ? 200 : 202, body: renderRefund(refund) };
}

type Refusal = Exclude<RefundRequestResult, { refund: unknown } | { proposal: unknown }>;

/** The problem that tells a caller why its refund is refused. */
function refusalOf(refusal: Refusal, outTradeNo: string): ApiError {
  const extra = { out_trade_no: outTradeNo };
  switch (refusal.kind) {
    case 'unknown_order':
      return noSuchOrder(outTradeNo);
    case 'key_reused':
      return keyReused();
    case 'refused':
      return notApproved(refusal.code);
    case 'over_bound':
      return new ApiError(
        'LIMIT_EXCEEDED',
        `Merchant keys may refund only ${formatFen(refusal.leftFen)} more; refund at most that, ` +
          'or let a person refund it with an operator key',
        { extra: { ...extra, left: refusal.leftFen } },
      );
    case 'number_used':
      return new ApiError(
        'OUT_REFUND_NO_USED',
        'This out_refund_no belongs to a refund of another order or with other content, so ' +
          'nothing was done; choose a new number, or repeat the earlier content',
      );
    case 'not_refundable': {
      const detail =
        `Order ${outTradeNo} has the status ${refusal.status}; only orders that are paid, ` +
        'fulfilled or paid_late are refunded';
      return new ApiError('ORDER_NOT_REFUNDABLE', detail, {
        extra: { ...extra, order_status: refusal.status },
      });
    }
    case 'exceeds':
      return new ApiError(
        'REFUND_EXCEEDS_PAYMENT',
        `Only ${formatFen(refusal.leftFen)} of the payment is left to refund; refund at most that`,
        { extra: { ...extra, left: refusal.leftFen } },
      );
    case 'too_many':
    case 'too_late':
      return new ApiError('REFUND_LIMIT', REFUND_LIMIT_TEXTS[refusal.kind], { extra });
  }
}
