// Describes each call of the API once: its route, its checks and its OpenAPI entry come from this.
import type { z } from 'zod';
import type { Role } from '../../config/fields';
import type { Caller } from './auth';
import { withDatabaseTime } from './deadline';
import { parse } from './validation';

/** The parsed types of the parts of a request that an operation has schemas for. */
interface CallParts {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

/** A request after all checks. A part for which the operation has no schema is `unknown`. */
export interface Call<Parts extends CallParts = CallParts> {
  readonly caller: Caller;
  readonly params: Parts['params'];
  readonly query: Parts['query'];
  readonly body: Parts['body'];
  readonly header: (name: string) => string | undefined;
}

/** A request of a known caller, before its parts are checked. */
export interface UncheckedCall {
  readonly caller: Caller;
  readonly params: unknown;
  readonly query: unknown;
  /** Reads the body; an operation without a schema for the body leaves it unread. */
  readonly readBody: () => Promise<unknown>;
  readonly header: (name: string) => string | undefined;
}

export interface Reply {
  readonly status: number;
  /** A reply with the status 204 has none. */
  readonly body?: unknown;
  /** A table in place of the body, for a caller that accepts `text/csv`. */
  readonly csv?: string;
}

interface Description {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** In Express's form, like `/v1/orders/:no`. */
  readonly path: string;
  readonly summary: string;
  readonly roles: readonly Role[];
  /** The caller may leave out the body. */
  readonly bodyOptional?: boolean;
  readonly headers?: readonly { readonly name: string; readonly description: string }[];
  /** A description of each status that the operation replies with. */
  readonly replies: Readonly<Record<number, string>>;
  /** The body of a success; an operation that only replies 204 has none. */
  readonly reply?: z.ZodType;
  /** True when a caller may also get the reply as a table. */
  readonly csv?: boolean;
}

/** One call of the API, as the app registers it and `/openapi.json` describes it. */
export interface Operation extends Description {
  readonly params?: z.ZodType | undefined;
  readonly query?: z.ZodType | undefined;
  readonly body?: z.ZodType | undefined;
  readonly handle: (call: UncheckedCall) => Promise<Reply>;
}

/** A path with parameters needs a schema for them: nothing unchecked reaches a query. */
type ParamsOf<Path extends string, Params extends z.ZodType> = Path extends `${string}:${string}`
  ? { readonly params: Params }
  : { readonly params?: undefined };

interface Definition<
  Path extends string,
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
> extends Description {
  readonly path: Path;
  readonly query?: Query;
  readonly body?: Body;
  readonly handle: (
    call: Call<{ params: z.output<Params>; query: z.output<Query>; body: z.output<Body> }>,
  ) => Promise<Reply>;
}

/**
 * Makes an operation from its definition: `handle` gets the parts of the request as the operation's
 * schemas parse them. The query is checked first, then the body, then the path.
 */
export function operation<
  const Path extends string,
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
>(definition: Definition<Path, Params, Query, Body> & ParamsOf<Path, Params>): Operation {
  const { query, body, handle } = definition;
  const params: Params | undefined = definition.params;
  return {
    ...definition,
    handle: async ({ readBody, ...call }) => {
      const parsedQuery = checked(query, call.query);
      const parsedBody = checked(body, body ? await readBody() : null);
      const parsedParams = checked(params, call.params);
      const parts = { query: parsedQuery, body: parsedBody, params: parsedParams };
      return withDatabaseTime(() => handle({ ...call, ...parts }));
    },
  };
}

/** Without a schema the type of a part is `unknown`, so that its handler can't use the value. */
function checked<T extends z.ZodType>(schema: T | undefined, value: unknown): z.output<T> {
  return schema ? parse(schema, value) : (undefined as z.output<T>);
}

/** Every role may read. */
export const ALL_ROLES: readonly Role[] = ['merchant', 'operator', 'admin', 'viewer'];
/** The roles of the shop's own servers: they create orders and may see codes and openids. */
export const SHOP_ROLES: readonly Role[] = ['merchant', 'admin'];
/** The roles that may close and refund orders. */
export const CLOSING_ROLES: readonly Role[] = ['merchant', 'operator', 'admin'];
/** The roles that may resolve interventions. */
export const OPERATOR_ROLES: readonly Role[] = ['operator', 'admin'];
