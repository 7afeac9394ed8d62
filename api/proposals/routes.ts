// The routes of proposals: requests that wait for a second person.
import { z } from 'zod';
import type { Database } from '../../database/database';
import type { ProposalView, Withdrawal } from '../../database/proposals/list-proposals';
import type { ProposalAction } from '../../domain/proposals/proposal';
import { UUID } from '../../domain/uuid';
import { requireRole } from '../http/auth';
import { inTime } from '../http/deadline';
import {
  ALL_ROLES,
  operation,
  OPERATOR_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { page } from '../http/page';
import { ApiError } from '../http/problem';
import type { Approvable } from './approvable';
import { notApproved, proposalListReply, renderProposal } from './replies';
import { approvalBody, proposalListQuery, proposalPath } from './schemas';

export interface ProposalRouteDeps {
  readonly database: Pick<Database, 'proposals' | 'resolutions'>;
  /** How each kind is approved. A kind without a row can't be proposed. */
  readonly approvables: Readonly<Partial<Record<ProposalAction, Approvable>>>;
  readonly now: () => number;
}

type ProposalCall<Body = unknown> = Call<{
  params: z.output<typeof proposalPath>;
  body: Body;
}>;

/** Makes the operations on proposals. */
export function proposalOperations(deps: ProposalRouteDeps): Operation[] {
  const { proposals } = deps.database;
  return [
    operation({
      id: 'listProposals',
      method: 'get',
      path: '/v1/proposals',
      summary: 'Lists the requests that wait, or waited, for a second person, oldest first',
      roles: ALL_ROLES,
      query: proposalListQuery,
      reply: proposalListReply,
      replies: { 200: 'A page of proposals' },
      handle: ({ query }) =>
        page({
          query,
          idShape: UUID,
          read: (after, limit) =>
            proposals.list({ status: query.status ?? null, after, limit }, deps.now()),
          placeOf: ({ proposedAt, id }: ProposalView) => ({ at: proposedAt, id }),
          render: renderProposal,
        }),
    }),
    operation({
      id: 'approveProposal',
      method: 'post',
      path: '/v1/proposals/:id/approval',
      summary: 'Approves a proposal of another person, which carries it out',
      roles: OPERATOR_ROLES,
      params: proposalPath,
      body: approvalBody,
      bodyOptional: true,
      reply: z.union(Object.values(deps.approvables).map(({ reply }) => reply)),
      replies: {
        200: 'It is carried out: the reply of the call that was proposed',
        202: 'It is in progress: the reply of the call that was proposed',
        404: 'There is no proposal with this id',
        409: 'You proposed it yourself, it has ended, or it fits no more',
      },
      handle: (call) => approve(deps, call),
    }),
    operation({
      id: 'withdrawProposal',
      method: 'delete',
      path: '/v1/proposals/:id',
      summary: 'Withdraws an open proposal: the person who made it may, and admins',
      roles: OPERATOR_ROLES,
      params: proposalPath,
      reply: z.undefined(),
      replies: {
        204: 'It is withdrawn',
        404: 'There is no proposal with this id',
        409: 'It has ended before',
      },
      handle: (call) => withdraw(deps, call),
    }),
  ];
}

async function findProposal(deps: ProposalRouteDeps, id: string): Promise<ProposalView> {
  const proposal = await inTime(deps.database.proposals.find(id, deps.now()));
  if (proposal) return proposal;
  throw new ApiError('NOT_FOUND', `There is no proposal ${id}; GET /v1/proposals lists them`);
}

async function approve(
  deps: ProposalRouteDeps,
  { params, body, caller }: ProposalCall<z.output<typeof approvalBody>>,
): Promise<Reply> {
  const { id, action, subject, status } = await findProposal(deps, params.id);
  const approvable = deps.approvables[action];
  if (!approvable) throw new Error(`No room approves ${action}`);
  requireRole(caller, approvable.roles);
  if (status !== 'open') throw notApproved('PROPOSAL_ENDED');
  const kept = action === 'resolution' ? null : await inTime(deps.database.proposals.bodyOf(id));
  const note = body.note ?? 'approved';
  return approvable.approve({ id, subject, body: kept, note }, caller);
}

async function withdraw(deps: ProposalRouteDeps, { params, caller }: ProposalCall): Promise<Reply> {
  const { proposals, resolutions } = deps.database;
  const { id, action } = await findProposal(deps, params.id);
  const withdrawal: Withdrawal = await inTime(
    action === 'resolution'
      ? resolutions.withdraw(id, caller, deps.now())
      : proposals.withdraw(id, caller, deps.now()),
  );
  switch (withdrawal.kind) {
    case 'withdrawn':
      return { status: 204, body: undefined };
    case 'not_found':
      throw new ApiError('NOT_FOUND', `There is no proposal ${id} any more`);
    case 'not_yours':
      throw new ApiError(
        'PERMISSION_DENIED',
        'Only the person who proposed this and admins may withdraw it',
      );
    case 'refused':
      throw notApproved(withdrawal.code);
  }
}
