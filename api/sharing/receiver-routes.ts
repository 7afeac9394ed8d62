// The routes of the receivers that payments may be shared with.
import { z } from 'zod';
import type { Database } from '../../database/database';
import { UUID } from '../../domain/uuid';
import { inTime } from '../http/deadline';
import { ALL_ROLES, operation, type Call, type Operation, type Reply } from '../http/operations';
import { page } from '../http/page';
import { ApiError } from '../http/problem';
import { receiverListReply, receiverReply, renderReceiver } from './replies';
import { newReceiver, receiverListQuery, type NewReceiverBody } from './schemas';

export interface ReceiverRouteDeps {
  readonly database: Pick<Database, 'receivers'>;
  readonly now: () => number;
}

/** A receiver has an id in a path and not its account: paths are in the logs of every proxy. */
const receiverPath = z.object({ id: z.string().regex(UUID, 'must be the id of a receiver') });

/** Makes the operations on known receivers. */
export function receiverOperations(deps: ReceiverRouteDeps): Operation[] {
  return [
    operation({
      id: 'addReceiver',
      method: 'post',
      path: '/v1/receivers',
      summary: 'Makes an account known, so that payments may be shared with it',
      roles: ['admin'],
      body: newReceiver,
      reply: receiverReply,
      replies: {
        200: 'The account was known; it now has the name and the relation of the request',
        201: 'The account is known now',
      },
      handle: (call) => addReceiver(deps, call),
    }),
    operation({
      id: 'listReceivers',
      method: 'get',
      path: '/v1/receivers',
      summary: 'Lists the known receivers, also those that WeChat Pay has paid, oldest first',
      roles: ALL_ROLES,
      query: receiverListQuery,
      reply: receiverListReply,
      replies: { 200: 'A page of known receivers' },
      handle: (call) => listReceivers(deps, call),
    }),
    operation({
      id: 'removeReceiver',
      method: 'delete',
      path: '/v1/receivers/:id',
      summary: 'Removes a receiver: no payment is shared with it any more',
      roles: ['admin'],
      params: receiverPath,
      replies: {
        204: 'The receiver is not known any more, or was removed before',
        404: 'There is no receiver with this id',
      },
      handle: (call) => removeReceiver(deps, call),
    }),
  ];
}

async function addReceiver(
  { database, now }: ReceiverRouteDeps,
  { body, caller }: Call<{ body: NewReceiverBody }>,
): Promise<Reply> {
  const { type, account, name = null, relation_type: relationType = null } = body;
  const added = { type, account, name, relationType };
  const { kind, receiver } = await inTime(database.receivers.add(added, caller, now()));
  return { status: kind === 'created' ? 201 : 200, body: renderReceiver(receiver) };
}

function listReceivers(
  { database }: ReceiverRouteDeps,
  { query }: Call<{ query: z.output<typeof receiverListQuery> }>,
): Promise<Reply> {
  return page({
    query,
    idShape: UUID,
    read: (after, limit) =>
      database.receivers.list({ after: after && { createdAt: after.at, id: after.id }, limit }),
    placeOf: ({ createdAt, id }) => ({ at: createdAt, id }),
    render: renderReceiver,
  });
}

async function removeReceiver(
  { database, now }: ReceiverRouteDeps,
  { params: { id }, caller }: Call<{ params: z.output<typeof receiverPath> }>,
): Promise<Reply> {
  if (await inTime(database.receivers.remove(id, caller, now()))) return { status: 204 };
  throw new ApiError('NOT_FOUND', 'There is no receiver with this id; GET /v1/receivers lists all');
}
