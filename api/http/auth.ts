import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ApiKey, Role } from '../../config/fields';
import { ApiError } from './problem';

export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** Who calls: `Authorization: Bearer <secret>`. Every key is compared, in constant time. */
export function createAuthentication(keys: readonly ApiKey[]) {
  return (request: IncomingMessage): Caller => {
    const [, secret] =
      /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
    if (secret === undefined) {
      throw new ApiError('UNAUTHENTICATED', 'Send Authorization: Bearer <key>');
    }
    const digest = createHash('sha256').update(secret).digest();
    const matches = keys.filter(({ secretHash }) => timingSafeEqual(secretHash, digest));
    const [key] = matches;
    if (!key) throw new ApiError('UNAUTHENTICATED', 'This API key is not known');
    return { name: key.name, role: key.role };
  };
}

/** @throws ApiError 403 when the caller's role is not one of `roles` */
export function requireRole(caller: Caller, roles: readonly Role[]): void {
  if (roles.includes(caller.role)) return;
  throw new ApiError('PERMISSION_DENIED', `The role ${caller.role} may not do that`);
}
