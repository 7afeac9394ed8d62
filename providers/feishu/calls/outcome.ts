// Decides by Feishu's code whether a call was carried out, and whether it may be sent again.
import type { FeishuResponse } from '../transport/transport';

/** Feishu refuses a token with these codes; a new token may be taken. */
const TOKEN_CODES: readonly number[] = [99991661, 99991663, 99991664, 99991671];

/** Too many calls of this kind: wait until the reset that the reply names. */
const RATE_LIMITED = 99991400;

/** The tenant's calls of this month are used up. */
const QUOTA_SPENT = 99991403;

/** Busy, write conflict, data not ready, and Feishu's own failures. */
const RETRIED_CODES: readonly number[] = [
  1254290, 1254291, 1254607, 1254002, 1254036, 1255001, 1255002, 1255003, 1255004, 1255005, 1255040,
];

/** Feishu used the client_token for another request, so this request needs a new one. */
const CLIENT_TOKEN_USED = 1255006;

/** The wait when a limited call's reply names no reset. */
const DEFAULT_RESET_MS = 1_000;

export type FeishuFailure =
  | 'token'
  | 'rate_limited'
  | 'quota_spent'
  | 'client_token_used'
  | 'retryable'
  | 'refused'
  | 'unknown';

/**
 * The outcome of a call. After `unknown`, Feishu may or may not have carried it out: send the same
 * request with the same `client_token` or `uuid` again. `refused` needs a person.
 */
export type FeishuOutcome<T> =
  | { readonly kind: 'ok'; readonly value: T; readonly logId: string | null }
  | {
      readonly kind: FeishuFailure;
      /** Feishu's own code; null without a reply of Feishu. */
      readonly code: number | null;
      /** One line for people, at most 256 characters. */
      readonly message: string;
      readonly logId: string | null;
      /** Wait this long before the next call; null where Feishu names no time. */
      readonly waitMs: number | null;
    };

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads a reply. Feishu sends most failures with HTTP 200, so its `code` decides alone.
 * @param read makes the value of a success; null when the reply does not fit the request
 */
export function readOutcome<T>(
  response: FeishuResponse,
  read: (json: Json) => { readonly value: T } | null,
): FeishuOutcome<T> {
  if (response.kind === 'failed') {
    return { kind: 'unknown', code: null, message: response.detail, logId: null, waitMs: null };
  }
  const { json, logId, status } = response;
  const code = json?.['code'];
  if (json === null || typeof code !== 'number') {
    const message = `HTTP ${status} without Feishu's code`;
    const kind = status === 404 ? 'refused' : 'unknown';
    return { kind, code: null, message, logId, waitMs: null };
  }
  if (code === 0) {
    const seen = read(json);
    if (seen !== null) return { kind: 'ok', value: seen.value, logId };
    return { kind: 'unknown', code, message: 'an unexpected reply', logId, waitMs: null };
  }
  const kind = failureOf(code);
  const waitMs = kind === 'rate_limited' ? (response.resetMs ?? DEFAULT_RESET_MS) : null;
  return { kind, code, message: oneLine(json['msg']), logId, waitMs };
}

function failureOf(code: number): FeishuFailure {
  if (TOKEN_CODES.includes(code)) return 'token';
  if (code === RATE_LIMITED) return 'rate_limited';
  if (code === QUOTA_SPENT) return 'quota_spent';
  if (code === CLIENT_TOKEN_USED) return 'client_token_used';
  return RETRIED_CODES.includes(code) ? 'retryable' : 'refused';
}

function oneLine(message: unknown): string {
  return typeof message === 'string' ? message.replace(/\s+/g, ' ').slice(0, 256) : '';
}
