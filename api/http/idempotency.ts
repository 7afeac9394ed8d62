// Reads the Idempotency-Key of a request.
import { z } from 'zod';
import type { IdempotencyGuard } from '../../database/core/claim-idempotency-key';
import type { Call } from './operations';
import { parse } from './validation';

const idempotencyKeyHeader = z.object({
  'Idempotency-Key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters'),
});

/** The header in `/openapi.json`, for operations where the key alone identifies a repeat. */
export const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  description:
    'A request with the same key is a repeat and creates nothing new; ' +
    '1–255 visible ASCII characters',
} as const;

/** The header in `/openapi.json`, for operations where a number in the body identifies a repeat. */
export const KEY_FOR_NUMBER = {
  name: IDEMPOTENCY_KEY.name,
  description:
    'Needed when the body has no number: Oncepay derives the number from this key, always the ' +
    'same one; 1–255 visible ASCII characters',
} as const;

/**
 * Reads the guard that makes a request safe to repeat.
 * @param body the content that a repeat must have too
 * @returns null when the caller sent no Idempotency-Key
 * @throws ApiError 400 for a malformed key
 */
export function guardOf(
  call: Pick<Call, 'caller' | 'header'>,
  route: string,
  body: unknown,
): IdempotencyGuard | null {
  const header = call.header('idempotency-key');
  if (header === undefined) return null;
  const { 'Idempotency-Key': key } = parse(idempotencyKeyHeader, { 'Idempotency-Key': header });
  return { client: call.caller.client, route, key, body: canonical(body) };
}

/** Writes a body as text: the same text for the same content, in whatever order its keys are. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  );
}
