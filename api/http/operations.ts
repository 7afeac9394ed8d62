import type { z } from 'zod';
import type { Role } from '../../config/fields';
import type { Caller } from './auth';

/** What a handler gets: everything checked. */
export interface Call {
  readonly caller: Caller;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: unknown;
  readonly header: (name: string) => string | undefined;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/**
 * One call of the API. The same description registers its route, checks its caller and its input, and
 * makes its entry in `/openapi.json`, so they can't drift apart.
 */
export interface Operation {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put';
  /** Express's form, like `/v1/orders/:no`. */
  readonly path: string;
  readonly summary: string;
  readonly roles: readonly Role[];
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
  /** A body may be left out. */
  readonly bodyOptional?: boolean;
  readonly headers?: readonly { readonly name: string; readonly description: string }[];
  readonly replies: Readonly<Record<number, string>>;
  readonly reply: z.ZodType;
  readonly handle: (call: Call) => Promise<Reply>;
}

export const ALL_ROLES: readonly Role[] = ['merchant', 'operator', 'admin', 'viewer'];
export const SHOP_ROLES: readonly Role[] = ['merchant', 'admin'];
export const CLOSING_ROLES: readonly Role[] = ['merchant', 'operator', 'admin'];
export const OPERATOR_ROLES: readonly Role[] = ['operator', 'admin'];
