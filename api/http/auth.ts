// Authenticates a caller by its API key, and checks its role.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ApiKey, Role } from '../../config/fields';
import { ApiError } from './problem';

/** The owner of the API key that a request was sent with. */
export interface Caller {
  /**
   * The scope of Idempotency-Keys, and of the numbers that are made from them. Both secrets of a
   * client have it in common, so that a repeat with the other one is still a repeat.
   */
  readonly client: string;
  /** The name in the audit log. */
  readonly name: string;
  readonly role: Role;
}

/**
 * Makes the function that finds the caller of a request by `Authorization: Bearer <secret>` (RFC
 * 6750). It compares the secret with every key in constant time, so that its duration reveals none.
 * The function throws ApiError 401 without a known key.
 */
export function createAuthentication(keys: readonly ApiKey[]) {
  return (request: Pick<IncomingMessage, 'headers'>): Caller => {
    const [, secret] =
      /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
    if (secret === undefined) {
      throw new ApiError(
        'UNAUTHENTICATED',
        'Send your API key in the header Authorization: Bearer <key>',
      );
    }
    const digest = createHash('sha256').update(secret).digest();
    const matches = keys.filter(({ secretHash }) => timingSafeEqual(secretHash, digest));
    const [key] = matches;
    if (!key) {
      throw new ApiError(
        'UNAUTHENTICATED',
        'This API key is unknown; check it, or ask the operator of Oncepay for a key',
      );
    }
    return { client: key.client, name: key.client, role: key.role };
  };
}

/**
 * Checks the caller's role against the roles of an operation.
 * @throws ApiError 403 when the caller's role is not one of `roles`
 */
export function requireRole(caller: Caller, roles: readonly Role[]): void {
  if (roles.includes(caller.role)) return;
  throw new ApiError(
    'PERMISSION_DENIED',
    `The role ${caller.role} may not make this call; use an API key with the role ` +
      roles.join(' or '),
  );
}
