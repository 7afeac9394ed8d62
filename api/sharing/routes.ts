// The routes of an order's profit sharings.
import type { Database } from '../../database/database';
import type { SharingView } from '../../database/sharing/view-sharing';
import type { SharingRequest, SharingSubmission } from '../../database/sharing/request-sharing';
import { fen } from '../../domain/money';
import { numberInPath } from '../http/fields';
import { inTime } from '../http/deadline';
import { guardOf, KEY_FOR_NUMBER } from '../http/idempotency';
import {
  ALL_ROLES,
  operation,
  SHOP_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { orderPath, type OrderPath } from '../http/order-number';
import { ApiError, invalidField } from '../http/problem';
import { parse } from '../http/validation';
import type { Approvable } from '../proposals/approvable';
import { notApproved, orProposed, proposedReplyOf } from '../proposals/replies';
import type { OrderRuns } from '../temporal/order-runs';
import type { WakeOrLeaveToSweep } from '../temporal/wake-later';
import { renderSharing, sharingReply } from './replies';
import { newSharing, type NewSharingBody } from './schemas';

export interface SharingRouteDeps {
  readonly database: Pick<Database, 'sharings'>;
  readonly runs: Pick<OrderRuns, 'ensureSharingRun'>;
  readonly wakeOrLeaveToSweep: WakeOrLeaveToSweep;
  readonly now: () => number;
}

/** Part of every number that is derived from a key, so it never changes. */
const ROUTE = 'POST /v1/orders/:no/profit-sharing';

const sharingPath = orderPath.extend({ out_order_no: numberInPath });

type SharingCall = Call<{ params: OrderPath; body: NewSharingBody }>;

/** Makes the operations on the profit sharings of an order. */
export function sharingOperations(deps: SharingRouteDeps): Operation[] {
  return [
    operation({
      id: 'shareProfit',
      method: 'post',
      path: '/v1/orders/:no/profit-sharing',
      summary: 'Shares a payment with receivers, or unfreezes the rest of it',
      roles: SHOP_ROLES,
      params: orderPath,
      headers: [KEY_FOR_NUMBER],
      body: newSharing,
      reply: orProposed(sharingReply),
      replies: {
        200: 'The sharing of an earlier request with the same content; it is settled',
        202: 'The sharing is in progress, or it is a proposal that a second person has to approve',
        404: 'There is no order with this number',
        409: 'Created without profit sharing, not paid, too much, or an unknown receiver',
        422: 'An earlier request had this number or Idempotency-Key with other content',
      },
      handle: (call) => share(deps, call),
    }),
    operation({
      id: 'getProfitSharing',
      method: 'get',
      path: '/v1/orders/:no/profit-sharing/:out_order_no',
      summary: 'Reads a profit sharing with the result of each receiver',
      roles: ALL_ROLES,
      params: sharingPath,
      reply: sharingReply,
      replies: {
        200: 'The profit sharing',
        404: 'The order has no profit sharing with this number',
      },
      handle: async (call) => {
        const { no, out_order_no: outOrderNo } = call.params;
        const sharing = await inTime(deps.database.sharings.find(no, outOrderNo));
        if (!sharing) {
          const detail = `Order ${no} has no profit sharing with this number; check its sharings`;
          throw new ApiError('NOT_FOUND', detail);
        }
        return { status: 200, body: render(call.caller, sharing) };
      },
    }),
  ];
}

/** The approval of a sharing that was proposed. */
export function sharingApproval(deps: SharingRouteDeps): Approvable {
  return {
    roles: SHOP_ROLES,
    reply: sharingReply,
    approve: ({ id, subject, body, note }, caller) => {
      const parsed = parse(newSharing, body);
      const request = toRequest(subject, parsed, null);
      return requestSharing(deps, request, { actor: caller, approves: id, note, body: parsed });
    },
  };
}

/**
 * @throws ApiError 400 with neither a number nor a key, because a repeat of the call could not be
 * distinguished from a second sharing
 */
function share(deps: SharingRouteDeps, call: SharingCall): Promise<Reply> {
  const { body, caller } = call;
  const outTradeNo = call.params.no;
  const guard = guardOf(call, ROUTE, { out_trade_no: outTradeNo, ...body });
  if (body.out_order_no === undefined && guard === null) {
    throw invalidField('out_order_no', 'is required without an Idempotency-Key');
  }
  const request = toRequest(outTradeNo, body, guard);
  return requestSharing(deps, request, { actor: caller, approves: null, body });
}

async function requestSharing(
  deps: SharingRouteDeps,
  request: SharingRequest,
  submission: SharingSubmission,
): Promise<Reply> {
  const { database, now } = deps;
  const { actor: caller } = submission;
  const result = await inTime(database.sharings.request(request, submission, now()));
  switch (result.kind) {
    case 'proposed':
      return proposedReplyOf(result.proposal);
    case 'not_approved':
      throw notApproved(result.code);
    case 'refused':
      throw new ApiError(result.code, result.detail, { extra: result.extra });
    case 'repeated':
      return { status: result.settled ? 200 : 202, body: render(caller, result.sharing) };
    case 'created':
      if (result.startsNow) {
        deps.wakeOrLeaveToSweep(deps.runs.ensureSharingRun(result.sharing.outOrderNo));
      }
      return { status: 202, body: render(caller, result.sharing) };
  }
}

const render = ({ role }: { readonly role: string }, sharing: SharingView) =>
  renderSharing(
    sharing,
    SHOP_ROLES.some((one) => one === role),
  );

/** The request that a body describes. */
function toRequest(
  outTradeNo: string,
  { out_order_no: outOrderNo, receivers, unfreeze_rest: rest }: NewSharingBody,
  guard: SharingRequest['guard'],
): SharingRequest {
  return {
    outTradeNo,
    number: outOrderNo === undefined ? { kind: 'key' } : { kind: 'given', outOrderNo },
    guard,
    receivers: receivers.map((one) => ({
      type: one.type,
      account: one.account,
      name: one.name ?? null,
      relationType: one.relation_type ?? null,
      amountFen: fen(one.amount),
      description: one.description,
    })),
    unfreezeRest: rest ?? false,
  };
}
