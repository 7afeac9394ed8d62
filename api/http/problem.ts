// The errors of the API, and their problem documents (RFC 9457).
import type { ServerResponse } from 'node:http';
import { ERRORS, type ErrorCode } from '../../domain/error-catalogue';

/** One field of a request that is not valid. */
export interface FieldError {
  /** Like `items[0].sku`. */
  readonly field: string;
  readonly message: string;
}

/**
 * An error that is shown to the caller. Its message is the problem's `detail`: it says what is
 * wrong and what to do next.
 */
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

/** An error for one field that is not valid; the message follows the field's name. */
export function invalidField(field: string, message: string): ApiError {
  return new ApiError('VALIDATION_ERROR', `${field} ${message}`, { errors: [{ field, message }] });
}

/** The 404 for an order number that is well-formed but unknown. */
export function noSuchOrder(outTradeNo: string): ApiError {
  const detail = `There is no order ${outTradeNo}; check the number and the environment`;
  return new ApiError('NOT_FOUND', detail);
}

/** The 422 for an Idempotency-Key that an earlier request had with other content. */
export function keyReused(): ApiError {
  return new ApiError(
    'IDEMPOTENCY_KEY_REUSED',
    'An earlier request had this Idempotency-Key with another body, so nothing was done; ' +
      'send a new key, or repeat the earlier body',
  );
}

/** The 409 for a change of a version that is no longer the current one. */
export function versionConflict(what: string, version: number): ApiError {
  const detail =
    `The ${what} now has version ${version}, so nothing was changed; ` +
    'read it and send the change with that version';
  return new ApiError('VERSION_CONFLICT', detail, {
    errors: [{ field: 'version', message: 'is not the current version' }],
  });
}

/** Writes the problem document; of the cause it has only the error's own message. */
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

/** The media type of a problem document. */
export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** Replies with a problem document and the headers of its status. */
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
