import type { ServerResponse } from 'node:http';
import { ERRORS, type ErrorCode } from '../../domain/error-catalogue';

export interface FieldError {
  /** Like `items[0].sku`. */
  readonly field: string;
  readonly message: string;
}

/** An error a caller gets to see: RFC 9457, with a code of the catalogue. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    detail: string,
    more: { errors?: readonly FieldError[]; extra?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(detail);
    this.code = code;
    this.errors = more.errors ?? [];
    this.extra = more.extra ?? {};
  }
}

/** One field is wrong. */
export function invalidField(field: string, message: string): ApiError {
  return new ApiError('VALIDATION_ERROR', `${field} ${message}`, { errors: [{ field, message }] });
}

/** Writes the problem document; nothing of what caused it beyond the error's own words. */
export function sendProblem(response: ServerResponse, error: ApiError): void {
  const { status, title } = ERRORS[error.code];
  const body = JSON.stringify({
    type: `urn:oncepay:error:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
    ...error.extra,
  });
  response.writeHead(status, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  });
  response.end(body);
}
