// The route of the callback log: the callbacks of WeChat and the replies to them.
import type { z } from 'zod';
import type { Database } from '../../database/database';
import { ALL_ROLES, operation, type Call, type Operation, type Reply } from '../http/operations';
import { SEQUENCE_ID } from '../http/cursor';
import { page } from '../http/page';
import { callbackDeliveryListReply, renderCallbackDelivery } from './replies';
import { callbackDeliveryListQuery } from './schemas';

/** Makes the operation that lists the callbacks of WeChat with the replies to them. */
export function callbackDeliveryOperations({
  callbackDeliveries,
}: Pick<Database, 'callbackDeliveries'>): Operation[] {
  return [
    operation({
      id: 'listCallbackDeliveries',
      method: 'get',
      path: '/v1/callback-deliveries',
      summary:
        'Lists the callbacks of WeChat Pay, newest first; of refused ones a sample, of repeated ' +
        'ones the first of an hour',
      roles: ALL_ROLES,
      query: callbackDeliveryListQuery,
      reply: callbackDeliveryListReply,
      replies: { 200: 'A page of callbacks' },
      handle: (call) => listDeliveries(callbackDeliveries, call),
    }),
  ];
}

function listDeliveries(
  deliveries: Database['callbackDeliveries'],
  { query }: Call<{ query: z.output<typeof callbackDeliveryListQuery> }>,
): Promise<Reply> {
  return page({
    query,
    idShape: SEQUENCE_ID,
    read: (after, limit) =>
      deliveries.list({
        outTradeNo: query.out_trade_no ?? null,
        outcome: query.outcome ?? null,
        after: after && { receivedAt: after.at, id: after.id },
        limit,
      }),
    placeOf: ({ receivedAt, id }) => ({ at: receivedAt, id }),
    render: renderCallbackDelivery,
  });
}
