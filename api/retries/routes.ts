// The routes of the retry policies.
import { z } from 'zod';
import type { Role } from '../../config/fields';
import type { Database } from '../../database/database';
import type { Submission } from '../../database/proposals/proposal-row';
import { isRetryOperation, type RetryOperation } from '../../domain/retries/retry-policy';
import { inTime } from '../http/deadline';
import { ALL_ROLES, operation, type Operation, type Reply } from '../http/operations';
import { ApiError, invalidField, versionConflict } from '../http/problem';
import { parse } from '../http/validation';
import type { Approvable } from '../proposals/approvable';
import { notApproved, orProposed, proposedReplyOf } from '../proposals/replies';
import { policyListReply, policyReply, renderPolicy } from './replies';
import { policyBody, toRetryPolicy } from './schemas';

export interface PolicyRouteDeps {
  readonly database: Pick<Database, 'policies'>;
  readonly now: () => number;
}

const CHANGING_ROLES: readonly Role[] = ['admin'];

const policyPath = z.object({ operation: z.string() });

/** Makes the operations that read and replace retry policies while Oncepay runs. */
export function retryPolicyOperations(deps: PolicyRouteDeps): Operation[] {
  const { policies } = deps.database;
  return [
    operation({
      id: 'listRetryPolicies',
      method: 'get',
      path: '/v1/retry-policies',
      summary: 'Lists the retry policies, one for each operation',
      roles: ALL_ROLES,
      reply: policyListReply,
      replies: { 200: 'All retry policies' },
      handle: async () => {
        const list = await inTime(policies.list());
        return { status: 200, body: { data: list.map(renderPolicy) } };
      },
    }),
    operation({
      id: 'getRetryPolicy',
      method: 'get',
      path: '/v1/retry-policies/:operation',
      summary: 'Reads the retry policy of an operation',
      roles: ALL_ROLES,
      params: policyPath,
      reply: policyReply,
      replies: { 200: 'The policy', 404: 'There is no operation with this name' },
      handle: async ({ params }) => {
        const name = operationOf(params.operation);
        const list = await inTime(policies.list());
        const policy = list.find((one) => one.operation === name);
        if (!policy) throw unknownOperation(name);
        return { status: 200, body: renderPolicy(policy) };
      },
    }),
    operation({
      id: 'putRetryPolicy',
      method: 'put',
      path: '/v1/retry-policies/:operation',
      summary:
        'Replaces a retry policy; it holds from the next attempt on, also for pending retries',
      roles: CHANGING_ROLES,
      params: policyPath,
      body: policyBody,
      reply: orProposed(policyReply),
      replies: {
        200: 'The policy',
        202: 'It is a policy for money: a second person has to approve the proposal',
        404: 'There is no operation with this name',
        409: 'This version is no longer the current one',
      },
      handle: ({ params, body, caller }) =>
        putPolicy(deps, params.operation, body, { actor: caller, approves: null }),
    }),
  ];
}

/** The approval of a policy that was proposed. */
export function retryPolicyApproval(deps: PolicyRouteDeps): Approvable {
  return {
    roles: CHANGING_ROLES,
    reply: policyReply,
    approve: ({ id, subject, body, note }, caller) =>
      putPolicy(deps, subject, parse(policyBody, body), { actor: caller, approves: id, note }),
  };
}

async function putPolicy(
  { database: { policies }, now }: PolicyRouteDeps,
  given: string,
  body: z.output<typeof policyBody>,
  submission: Submission,
): Promise<Reply> {
  const name = operationOf(given);
  if (body.operation !== undefined && body.operation !== name) {
    throw invalidField('operation', 'must be the operation of the path');
  }
  const policy = toRetryPolicy(body);
  const change = await inTime(
    policies.put(name, { ...submission, policy, expectedVersion: body.version ?? null }, now()),
  );
  if (change.kind === 'proposed') return proposedReplyOf(change.proposal);
  if (change.kind === 'refused') throw notApproved(change.code);
  if (change.kind === 'ok') return { status: 200, body: renderPolicy(change.policy) };
  throw versionConflict('policy', change.version);
}

/** @throws ApiError 404 */
function operationOf(name: string): RetryOperation {
  if (isRetryOperation(name)) return name;
  throw unknownOperation(name);
}

function unknownOperation(name: string): ApiError {
  const detail = `There is no operation ${name.slice(0, 64)}; GET /v1/retry-policies lists them`;
  return new ApiError('NOT_FOUND', detail);
}
