import type { Database } from '../../database/database';
import { REFUND_LIMIT_TEXTS } from '../../database/refunds/check-refund-limit';
import type { RefundRequestResult } from '../../database/refunds/request-refund';
import { isSettled } from '../../domain/refunds/refund-state';
import { fen, formatFen } from '../../domain/money';
import { inTime } from '../http/deadline';
import { guardOf, KEY_FOR_NUMBER } from '../http/idempotency';
import { ApiError, invalidField } from '../http/problem';
import {
  ALL_ROLES,
  CLOSING_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { renderRefund } from './replies';
import { refundReply } from './replies';
import type { NewRefundBody } from './schemas';
import { newRefund } from './schemas';
import type { OrderRuns } from '../temporal/order-runs';
import { numberOf } from '../http/order-number';

export interface RefundRouteDeps {
  readonly database: Pick<Database, 'orders' | 'refundRequests'>;
  readonly runs: Pick<OrderRuns, 'ensureRefundRun'>;
  readonly now: () => number;
}

const ROUTE = 'POST /v1/orders/{no}/refunds';

/** The refunds of an order. */
export function refundOperations(deps: RefundRouteDeps): Operation[] {
  return [
    {
      id: 'createRefund',
      method: 'post',
      path: '/v1/orders/:no/refunds',
      summary: 'Gives some or all of a payment back',
      roles: CLOSING_ROLES,
      headers: [KEY_FOR_NUMBER],
      body: newRefund,
      reply: refundReply,
      replies: {
        200: 'The same refund was asked for before, and it has ended',
        202: 'Reserved; WeChat Pay carries it out',
        404: 'No such order',
        409: 'Not paid, more than is left, or a limit of WeChat Pay',
        422: 'The number or the Idempotency-Key came with other content',
      },
      handle: (call) => createRefund(deps, call),
    },
    {
      id: 'getRefund',
      method: 'get',
      path: '/v1/orders/:no/refunds/:refund_no',
      summary: 'A refund of an order',
      roles: ALL_ROLES,
      reply: refundReply,
      replies: { 200: 'The refund', 404: 'No such refund of this order' },
      handle: async (call) => {
        const refundNo = call.params['refund_no'] ?? '';
        const refund = await inTime(deps.database.orders.findRefund(numberOf(call), refundNo));
        if (!refund) throw new ApiError('NOT_FOUND', 'The order has no such refund');
        return { status: 200, body: renderRefund(refund) };
      },
    },
  ];
}

async function createRefund(deps: RefundRouteDeps, call: Call): Promise<Reply> {
  const outTradeNo = numberOf(call);
  const body = call.body as NewRefundBody;
  const guard = guardOf(call, ROUTE, { out_trade_no: outTradeNo, ...body });
  if (body.out_refund_no === undefined && guard === null) {
    throw invalidField('out_refund_no', 'is required without an Idempotency-Key');
  }
  const request = {
    outTradeNo,
    outRefundNo: body.out_refund_no ?? null,
    amountFen: fen(body.amount),
    reason: body.reason ?? null,
    restock: body.restock ?? false,
    revokeCodes: body.revoke_codes ?? false,
  };
  const { refundRequests } = deps.database;
  const asked = refundRequests.request(request, guard, call.caller, deps.now());
  const result = await inTime(asked);
  if (!('refund' in result)) throw refusalOf(result, outTradeNo);
  const { refund } = result;
  // Its row is due: should this get lost, the sweep starts the run.
  if (result.kind === 'reserved')
    deps.runs.ensureRefundRun(refund.outRefundNo).catch(() => undefined);
  const hasEnded = result.kind === 'repeat' && isSettled(refund.status);
  return { status: hasEnded ? 200 : 202, body: renderRefund(refund) };
}

type Refusal = Exclude<RefundRequestResult, { refund: unknown }>;

function refusalOf(refusal: Refusal, outTradeNo: string): ApiError {
  const extra = { out_trade_no: outTradeNo };
  switch (refusal.kind) {
    case 'unknown_order':
      return new ApiError('NOT_FOUND', `There is no order ${outTradeNo}`);
    case 'key_reused':
      return new ApiError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used with another body; nothing was done',
      );
    case 'number_used':
      return new ApiError(
        'OUT_REFUND_NO_USED',
        'This number is a refund of another order or with other content; nothing was done',
      );
    case 'not_refundable':
      return new ApiError('ORDER_NOT_REFUNDABLE', `Order ${outTradeNo} is ${refusal.status}`, {
        extra: { ...extra, order_status: refusal.status },
      });
    case 'exceeds':
      return new ApiError(
        'REFUND_EXCEEDS_PAYMENT',
        `${formatFen(refusal.leftFen)} is left to refund`,
        { extra: { ...extra, left: refusal.leftFen } },
      );
    case 'too_many':
    case 'too_late':
      return new ApiError('REFUND_LIMIT', REFUND_LIMIT_TEXTS[refusal.kind], { extra });
  }
}
