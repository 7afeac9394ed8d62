import { z } from 'zod';
import type { IdempotencyGuard } from '../../database/core/claim-idempotency-key';
import type { Call } from './operations';
import { parse } from './validation';

export const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters');
export const idempotencyKeyHeader = z.object({ 'Idempotency-Key': idempotencyKey });

/** The header as `/openapi.json` has it. */
export const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  description: 'decides alone whether a request is a repeat; 1–255 visible ASCII characters',
} as const;

/** The header where a number is the guard: what the body names goes before it. */
export const KEY_FOR_NUMBER = {
  name: IDEMPOTENCY_KEY.name,
  description:
    'where the body names no number, one is made from it, the same for ever; 1–255 visible ASCII characters',
} as const;

/**
 * The caller's guard against asking twice; null when it sent none.
 * @param body what a repeat must say again
 * @throws ApiError 400 for a key that is none
 */
export function guardOf(call: Call, route: string, body: unknown): IdempotencyGuard | null {
  const header = call.header('idempotency-key');
  if (header === undefined) return null;
  const { 'Idempotency-Key': key } = parse(idempotencyKeyHeader, { 'Idempotency-Key': header });
  return { apiKeyName: call.caller.name, route, key, body: canonical(body) };
}

/** The same text for the same body, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  );
}
