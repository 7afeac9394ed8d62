import type { IncomingMessage } from 'node:http';
import getRawBody from 'raw-body';
import { ApiError, invalidField } from './problem';

export const MAX_BODY_BYTES = 256 * 1024;
/** Our deepest body has four levels; metadata may have some more. */
const MAX_DEPTH = 16;
const JSON_TYPE = /^application\/([\w.+-]+\+)?json\s*(;\s*charset=(utf-8|"utf-8")\s*)?$/i;
const LONE_SURROGATE = /\p{Surrogate}/u;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * Reads a JSON body strictly: JSON media type, at most 256 KiB, valid UTF-8, no text that PostgreSQL
 * can't hold, no `__proto__`, not too deep.
 * @throws ApiError 4xx naming what is wrong
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!JSON_TYPE.test(type.trim())) {
    request.resume();
    throw unsupported('Content-Type', 'must be application/json');
  }
  if (request.headers['content-encoding'] !== undefined) {
    request.resume();
    throw unsupported('Content-Encoding', 'is not supported');
  }
  const raw = await readRawBody(request, MAX_BODY_BYTES);
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(raw));
  } catch {
    throw invalidField('body', 'is not valid JSON in UTF-8');
  }
  check(value, '', 1);
  return value;
}

function unsupported(field: string, message: string): ApiError {
  const errors = [{ field, message }];
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', `${field} ${message}`, { errors });
}

/** The bytes of the body. @throws ApiError when they are too many or don't arrive whole */
export async function readRawBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  try {
    return await getRawBody(request, { limit, length: request.headers['content-length'] ?? null });
  } catch (error) {
    // The rest is read and dropped, so that the answer gets through.
    request.resume();
    const tooLarge = error instanceof Error && 'type' in error && error.type === 'entity.too.large';
    if (tooLarge) throw new ApiError('PAYLOAD_TOO_LARGE', `The body may have ${limit} bytes`);
    throw invalidField('body', 'did not arrive whole');
  }
}

function check(value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') {
    const bad = value.includes('\0') || LONE_SURROGATE.test(value);
    if (bad) throw invalidField(path || 'body', 'has characters that are not text');
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) throw invalidField(path || 'body', 'is nested too deep');
  for (const [key, entry] of Object.entries(value)) {
    const at = Array.isArray(value) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (key === '__proto__') throw invalidField(at, 'is not a field');
    if (key.includes('\0') || LONE_SURROGATE.test(key)) {
      throw invalidField(path || 'body', 'has a name that is not text');
    }
    check(entry, at, depth + 1);
  }
}
