// The routes of the receivers that payments may be shared with.
import { z } from 'zod';
import type { Role } from '../../config/fields';
import type { Database } from '../../database/database';
import type { Submission } from '../../database/proposals/proposal-row';
import { UUID } from '../../domain/uuid';
import { inTime } from '../http/deadline';
import { ALL_ROLES, operation, type Call, type Operation, type Reply } from '../http/operations';
import { page } from '../http/page';
import { ApiError } from '../http/problem';
import type { Approvable } from '../proposals/approvable';
import { notApproved, orProposed, proposedReplyOf } from '../proposals/replies';
import { parse } from '../http/validation';
import { receiverListReply, receiverReply, renderReceiver } from './replies';
import { newReceiver, receiverListQuery, type NewReceiverBody } from './schemas';

export interface ReceiverRouteDeps {
  readonly database: Pick<Database, 'receivers'>;
  readonly now: () => number;
}

const ADDING_ROLES: readonly Role[] = ['admin'];

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
      roles: ADDING_ROLES,
      body: newReceiver,
      reply: orProposed(receiverReply),
      replies: {
        200: 'The account was known; it now has the name and the relation of the request',
        201: 'The account is known now',
        202: 'The account is new: a second person has to approve the proposal',
      },
      handle: ({ body, caller }) => addReceiver(deps, body, { actor: caller, approves: null }),
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

/** The approval of a receiver that was proposed. */
export function receiverApproval(deps: ReceiverRouteDeps): Approvable {
  return {
    roles: ADDING_ROLES,
    reply: receiverReply,
    approve: ({ id, body, note }, caller) =>
      addReceiver(deps, parse(newReceiver, body), { actor: caller, approves: id, note }),
  };
}

async function addReceiver(
  { database, now }: ReceiverRouteDeps,
  { type, account, ...body }: NewReceiverBody,
  submission: Submission,
): Promise<Reply> {
  const { name = null, relation_type: relationType = null } = body;
  const added = { type, account, name, relationType };
  const result = await inTime(database.receivers.add(added, submission, now()));
  if (result.kind === 'proposed') return proposedReplyOf(result.proposal);
  if (result.kind === 'refused') throw notApproved(result.code);
  return { status: result.kind === 'created' ? 201 : 200, body: renderReceiver(result.receiver) };
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
