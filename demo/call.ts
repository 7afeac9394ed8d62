import type { z } from 'zod';
import type { Reply, CallOptions, Oncepay, RoleName } from '../stack/oncepay';

/** @returns the body as the schema reads it. @throws an error that names the call unless 200 or 201 */
export type Call = <T>(
  schema: z.ZodType<T>,
  method: string,
  path: string,
  options?: CallOptions,
) => Promise<T>;

/** @throws an error that names the call for every answer but 200 and 201 */
export function told(answer: Reply, what: string): Reply {
  if (answer.status === 200 || answer.status === 201) return answer;
  throw new Error(`${what} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

/** The API with the key of a role. */
export function createCall(oncepay: Pick<Oncepay, 'call'>, role: RoleName): Call {
  return async (schema, method, path, options = {}) => {
    const answer = await oncepay.call(method, path, { as: role, ...options });
    return schema.parse(told(answer, `${method} ${path}`).body);
  };
}
