import type { z } from 'zod';
import type { Database } from '../../database/database';
import { isRetryOperation, type RetryOperation } from '../../domain/retries/retry-policy';
import { inTime } from '../http/deadline';
import { ApiError, invalidField } from '../http/problem';
import { ALL_ROLES, type Call, type Operation, type Reply } from '../http/operations';
import { policyBody, policyListReply, policyReply, renderPolicy, toRetryPolicy } from './schemas';

/** How operations are retried, changed while everything runs. */
export function retryPolicyOperations({ policies }: Pick<Database, 'policies'>): Operation[] {
  return [
    {
      id: 'listRetryPolicies',
      method: 'get',
      path: '/v1/retry-policies',
      summary: 'The retry policies, one per operation',
      roles: ALL_ROLES,
      reply: policyListReply,
      replies: { 200: 'All of them' },
      handle: async () => {
        const list = await inTime(policies.list());
        return { status: 200, body: { data: list.map(renderPolicy) } };
      },
    },
    {
      id: 'getRetryPolicy',
      method: 'get',
      path: '/v1/retry-policies/:operation',
      summary: 'How an operation is retried',
      roles: ALL_ROLES,
      reply: policyReply,
      replies: { 200: 'The policy', 404: 'No such operation' },
      handle: async (call) => {
        const operation = operationOf(call);
        const list = await inTime(policies.list());
        const policy = list.find((one) => one.operation === operation);
        if (!policy) throw unknownOperation(operation);
        return { status: 200, body: renderPolicy(policy) };
      },
    },
    {
      id: 'putRetryPolicy',
      method: 'put',
      path: '/v1/retry-policies/:operation',
      summary: 'Replaces a policy; counts from the next attempt on, also of what is being retried',
      roles: ['admin'],
      body: policyBody,
      reply: policyReply,
      replies: { 200: 'The policy', 404: 'No such operation', 409: 'Not this version any more' },
      handle: (call) => putPolicy(policies, call),
    },
  ];
}

async function putPolicy(policies: Database['policies'], call: Call): Promise<Reply> {
  const operation = operationOf(call);
  const body = call.body as z.output<typeof policyBody>;
  if (body.operation !== undefined && body.operation !== operation) {
    throw invalidField('operation', 'must be that of the address');
  }
  const policy = toRetryPolicy(body);
  const change = await inTime(
    policies.put(operation, {
      policy,
      expectedVersion: body.version ?? null,
      actor: call.caller,
    }),
  );
  if (change.kind === 'ok') return { status: 200, body: renderPolicy(change.policy) };
  throw new ApiError('VERSION_CONFLICT', `The policy has version ${change.version} now`, {
    errors: [{ field: 'version', message: 'is not the current one' }],
  });
}

/** @throws ApiError 404 */
function operationOf(call: Call): RetryOperation {
  const operation = call.params['operation'];
  if (isRetryOperation(operation)) return operation;
  throw unknownOperation(operation ?? '');
}

function unknownOperation(operation: string): ApiError {
  return new ApiError('NOT_FOUND', `There is no operation ${operation.slice(0, 64)}`);
}
