import type { Database } from '../../database/database';
import type { SharingRequest } from '../../database/sharing/request-sharing';
import { fen } from '../../domain/money';
import { DEFAULT_RELATION } from '../../domain/sharing/profit-sharing';
import { inTime } from '../http/deadline';
import { guardOf, KEY_FOR_NUMBER } from '../http/idempotency';
import { ApiError, invalidField } from '../http/problem';
import { ALL_ROLES, SHOP_ROLES, type Call, type Operation, type Reply } from '../http/operations';
import { newSharing, renderSharing, sharingReply, type NewSharingBody } from './schemas';
import type { OrderRuns } from '../temporal/order-runs';
import { numberOf } from '../http/order-number';

export interface SharingRouteDeps {
  readonly database: Pick<Database, 'sharings'>;
  readonly runs: Pick<OrderRuns, 'ensureSharingRun'>;
  readonly now: () => number;
}

/** Part of every number that is made from a key: never changed. */
const ROUTE = 'POST /v1/orders/:no/profit-sharing';

/** The profit sharings of an order. */
export function sharingOperations(deps: SharingRouteDeps): Operation[] {
  return [
    {
      id: 'shareProfit',
      method: 'post',
      path: '/v1/orders/:no/profit-sharing',
      summary: 'Shares a payment with others, or unfreezes what is left of it',
      roles: SHOP_ROLES,
      headers: [KEY_FOR_NUMBER],
      body: newSharing,
      reply: sharingReply,
      replies: {
        200: 'The same was asked for before, and is settled',
        202: 'Reserved; or asked for before and under way',
        404: 'No such order',
        409: 'Not for sharing, not paid, or more than may be shared or is left',
        422: 'The number or key came with another order or content',
      },
      handle: (call) => share(deps, call),
    },
    {
      id: 'getProfitSharing',
      method: 'get',
      path: '/v1/orders/:no/profit-sharing/:out_order_no',
      summary: 'A profit sharing, with the result of each receiver',
      roles: ALL_ROLES,
      reply: sharingReply,
      replies: { 200: 'The profit sharing', 404: 'No such profit sharing of this order' },
      handle: async (call) => {
        const outOrderNo = call.params['out_order_no'] ?? '';
        const sharing = await inTime(deps.database.sharings.find(numberOf(call), outOrderNo));
        if (!sharing) throw new ApiError('NOT_FOUND', 'The order has no such profit sharing');
        return { status: 200, body: render(call, sharing) };
      },
    },
  ];
}

async function share(deps: SharingRouteDeps, call: Call): Promise<Reply> {
  const { database, now } = deps;
  const answer = await inTime(database.sharings.request(toRequest(call), call.caller, now()));
  switch (answer.kind) {
    case 'refused':
      throw new ApiError(answer.code, answer.detail, { extra: answer.extra });
    case 'repeated':
      return { status: answer.settled ? 200 : 202, body: render(call, answer.sharing) };
    case 'created': {
      // Nobody waits for Temporal: should this get lost, the sweep starts the run.
      const { outOrderNo } = answer.sharing;
      if (answer.startsNow) deps.runs.ensureSharingRun(outOrderNo).catch(() => undefined);
      return { status: 202, body: render(call, answer.sharing) };
    }
  }
}

const render = ({ caller }: Call, sharing: Parameters<typeof renderSharing>[0]) =>
  renderSharing(sharing, SHOP_ROLES.includes(caller.role));

/** @throws ApiError 400 with neither number nor key: a repeat could not be told from a second sharing */
function toRequest(call: Call): SharingRequest {
  const body = call.body as NewSharingBody;
  const { out_order_no: outOrderNo, receivers, unfreeze_rest: rest } = body;
  const outTradeNo = numberOf(call);
  const guard = guardOf(call, ROUTE, { out_trade_no: outTradeNo, ...body });
  if (outOrderNo === undefined && guard === null) {
    throw invalidField('out_order_no', 'is required, or an Idempotency-Key');
  }
  return {
    outTradeNo,
    number: outOrderNo === undefined ? { kind: 'key' } : { kind: 'given', outOrderNo },
    guard,
    receivers: receivers.map((one) => ({
      type: one.type,
      account: one.account,
      name: one.name ?? null,
      relationType: one.relation_type ?? DEFAULT_RELATION,
      amountFen: fen(one.amount),
      description: one.description,
    })),
    unfreezeRest: rest ?? false,
  };
}
