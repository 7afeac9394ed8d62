// Calls Oncepay's API with the key of a role, and fails with the call's name.
import type { z } from 'zod';
import type { Reply, CallOptions, Oncepay, RoleName } from '../stack/oncepay';

/**
 * @returns the body, parsed by the schema. @throws an error that names the call unless it gets 200
 * or 201
 */
export type Call = <T>(
  schema: z.ZodType<T>,
  method: string,
  path: string,
  options?: CallOptions,
) => Promise<T>;

/** @throws an error that names the call unless its reply is 200 or 201 */
export function expectSuccess(reply: Reply, call: string): Reply {
  if (reply.status === 200 || reply.status === 201) return reply;
  throw new Error(`${call} got the reply ${reply.status}: ${JSON.stringify(reply.body)}`);
}

/** Creates a function that calls the API with the key of a role. */
export function createCall(oncepay: Pick<Oncepay, 'call'>, role: RoleName): Call {
  return async (schema, method, path, options = {}) => {
    const reply = await oncepay.call(method, path, { as: role, ...options });
    return schema.parse(expectSuccess(reply, `${method} ${path}`).body);
  };
}
