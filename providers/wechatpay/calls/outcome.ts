// Decides from WeChat's response whether a call succeeded, was refused, or has an unknown outcome.
import { isUtf8 } from 'node:buffer';
import type { ErrorCode } from '../../../domain/error-catalogue';
import { cleanMessage, refusalCode, undecidedCode } from './error-mapping';
import { parseObject } from '../fields/parse-object';
import { verifyWithRing, type PlatformKeys } from '../keys/platform-keys';
import { errorResponse } from '../fields/response-schemas';
import type { HeaderBag } from '../crypto/signature';
import type { TransportResponse } from '../transport/transport';

/**
 * The outcome of a call to WeChat. `ok` and `refused` are definite. After `unknown`, WeChat may or
 * may not have carried out the request: query with the same number, then decide.
 */
export type WechatOutcome<T> =
  | { readonly kind: 'ok'; readonly value: T; readonly requestId: string | null }
  | {
      readonly kind: 'refused';
      readonly status: number;
      readonly code: ErrorCode;
      /** WeChat's own code. */
      readonly wechatCode: string;
      /** One line for people, at most 256 characters, without personal values of the request. */
      readonly message: string;
      readonly requestId: string | null;
    }
  | {
      readonly kind: 'unknown';
      readonly code: ErrorCode;
      /** The code in WeChat's own error body; null when there was no such body. */
      readonly wechatCode: string | null;
      readonly detail: string;
      /** Null when there was no response. */
      readonly status: number | null;
      readonly requestId: string | null;
    };

type Responded = Extract<TransportResponse, { kind: 'responded' }>;

/**
 * Reads the outcome of a call from its response. A validly signed 2xx that `read` understands is
 * definite, and so is a 4xx with WeChat's error body, unsigned or validly signed. Everything else
 * is `unknown`. Never throws.
 *
 * @param context.read returns the value in a 2xx response; null when it does not fit the request.
 * @param context.personal see {@link cleanMessage}
 */
export async function readOutcome<T>(
  response: TransportResponse,
  context: {
    readonly keys: Pick<PlatformKeys, 'known' | 'keyFor'>;
    readonly now: () => number;
    readonly read: (status: number, text: string) => { readonly value: T } | null;
    readonly personal?: readonly string[];
  },
): Promise<WechatOutcome<T>> {
  if (response.kind === 'failed') {
    const { code, detail } = response;
    return { kind: 'unknown', code, wechatCode: null, detail, status: null, requestId: null };
  }
  const { status } = response;
  const requestId = readRequestId(response.headers);
  const error = readError(response, context.personal);
  const unknown = (code: ErrorCode, detail: string): WechatOutcome<T> => ({
    kind: 'unknown',
    code,
    wechatCode: error?.code ?? null,
    detail,
    status,
    requestId,
  });
  const isSuccess = status >= 200 && status < 300;
  const isRefusal = status >= 400 && status < 500;
  if (!isSuccess && !isRefusal) {
    return unknown(undecidedCode(status, error?.code ?? null), describe(status, error));
  }
  const verdict = await verifyWithRing(
    { headers: response.headers, rawBody: response.body, nowMs: context.now() },
    context.keys,
  );
  if (verdict.kind !== 'valid' && (isSuccess || verdict.kind !== 'unsigned')) {
    return unknown('RESPONSE_FORGED', `status ${status}, signature: ${verdict.kind}`);
  }
  if (isSuccess) {
    const seen = isUtf8(response.body) ? context.read(status, response.body.toString()) : null;
    if (seen !== null) return { kind: 'ok', value: seen.value, requestId };
  } else if (error !== null) {
    const { code: wechatCode, message } = error;
    const code = refusalCode(status, wechatCode);
    return { kind: 'refused', status, code, wechatCode, message, requestId };
  }
  return unknown(undecidedCode(status, error?.code ?? null), describe(status, error));
}

function readError(
  response: Responded,
  personal: readonly string[] | undefined,
): { code: string; message: string } | null {
  if (response.status === 200 || !isUtf8(response.body)) return null;
  const seen = errorResponse.safeParse(parseObject(response.body.toString()));
  return seen.success
    ? { code: seen.data.code, message: cleanMessage(seen.data.message ?? '', personal) }
    : null;
}

function describe(status: number, error: { code: string } | null): string {
  return error === null ? `status ${status}, unreadable body` : `status ${status}, ${error.code}`;
}

/** `Request-ID`, which WeChat's support asks for first. */
function readRequestId(headers: HeaderBag): string | null {
  const value = headers['request-id'];
  return typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value) ? value : null;
}
