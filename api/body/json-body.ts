// Reads the body of a request, as strict JSON or as raw bytes.
import type { IncomingMessage } from 'node:http';
import getRawBody from 'raw-body';
import { ApiError, invalidField } from '../http/problem';
import { findViolation } from './bounds';

/** The largest JSON body, in bytes; an order of 200 items with metadata needs less. */
export const MAX_BODY_BYTES = 256 * 1024;
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;\s*charset=(utf-8|"utf-8")\s*)?$/i;
const LONE_SURROGATE = /\p{Surrogate}/u;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * Reads a JSON body strictly: JSON media type, at most 256 KiB, valid UTF-8, no text that
 * PostgreSQL can't store, no `__proto__`, and nothing that {@link findViolation} finds. The bounds
 * come before the parser, so that no body makes this process busy or fills its memory.
 * @throws ApiError 4xx that names the field at fault
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!JSON_TYPE.test(type.trim())) {
    request.resume();
    throw unsupported('Content-Type', 'must be application/json');
  }
  if (request.headers['content-encoding'] !== undefined) {
    request.resume();
    throw unsupported('Content-Encoding', 'is not supported; send the body uncompressed');
  }
  const raw = await readRawBody(request, MAX_BODY_BYTES);
  const text = decode(raw);
  const violation = findViolation(text);
  if (violation) throw invalidField(violation.path || 'body', violation.message);
  const value = parseText(text);
  check(value, '');
  return value;
}

/** @throws ApiError 400 when the body is not UTF-8 */
function decode(raw: Buffer): string {
  try {
    return utf8.decode(raw);
  } catch {
    throw notJson();
  }
}

/** @throws ApiError 400 when the body is not JSON */
function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notJson();
  }
}

const notJson = () => invalidField('body', 'must be valid JSON in UTF-8');

function unsupported(field: string, message: string): ApiError {
  const errors = [{ field, message }];
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', `${field} ${message}`, { errors });
}

/**
 * Reads the raw bytes of a body.
 * @param limit in bytes
 * @throws ApiError 413 for a larger body, 400 for one that does not arrive completely
 */
export async function readRawBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  try {
    return await getRawBody(request, { limit, length: request.headers['content-length'] ?? null });
  } catch (error) {
    // The rest is read and dropped, so that the reply reaches the caller.
    request.resume();
    const tooLarge = error instanceof Error && 'type' in error && error.type === 'entity.too.large';
    if (tooLarge) {
      const detail = `The body has more than ${limit} bytes; send less in one request`;
      throw new ApiError('PAYLOAD_TOO_LARGE', detail);
    }
    throw invalidField('body', 'did not arrive completely; send the request again');
  }
}

/** Refuses text that PostgreSQL can't store, and `__proto__`. */
function check(value: unknown, path: string): void {
  if (typeof value === 'string') {
    const bad = value.includes('\0') || LONE_SURROGATE.test(value);
    if (bad)
      throw invalidField(
        path || 'body',
        'must not have NUL characters or halves of surrogate pairs',
      );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, entry] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (key === '__proto__') throw invalidField(at, 'is not a known field');
    if (key.includes('\0') || LONE_SURROGATE.test(key)) {
      throw invalidField(
        path || 'body',
        'must not have a field name with NUL characters or halves of surrogate pairs',
      );
    }
    check(entry, at);
  }
}
