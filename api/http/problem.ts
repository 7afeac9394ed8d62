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
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    detail: string,
    more: {
      errors?: readonly FieldError[];
      extra?: Readonly<Record<string, unknown>>;
      headers?: Readonly<Record<string, string>>;
    } = {},
  ) {
    super(detail);
    this.code = code;
    this.errors = more.errors ?? [];
    this.extra = more.extra ?? {};
    this.headers = more.headers ?? {};
  }
}

/** One field is wrong. */
export function invalidField(field: string, message: string): ApiError {
  return new ApiError('VALIDATION_ERROR', `${field} ${message}`, { errors: [{ field, message }] });
}

/** The problem document; nothing of what caused it beyond the error's own words. */
export function problemBody(error: ApiError, status: number = ERRORS[error.code].status): string {
  return JSON.stringify({
    type: `urn:oncepay:error:${error.code}`,
    title: ERRORS[error.code].title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
    ...error.extra,
  });
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export function sendProblem(response: ServerResponse, error: ApiError): void {
  const { status } = ERRORS[error.code];
  const body = problemBody(error);
  response.writeHead(status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(status === 503 ? { 'retry-after': '1' } : {}),
    ...error.headers,
  });
  response.end(body);
}
