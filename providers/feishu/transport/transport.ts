// Sends one HTTP request to Feishu and returns the reply's JSON, or why there is none.
import { Pool } from 'undici';

/** A host that takes longer than this to accept a connection counts as away. */
const CONNECT_TIMEOUT_MS = 3_000;

/** A page of 500 rows is some 500 KB. */
const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;

/** Feishu takes 50 requests a second at most, and each table one write at a time. */
const MAX_CONNECTIONS = 8;

export interface FeishuRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** With its query. */
  readonly path: string;
  /** Sent as JSON; null sends no body. */
  readonly body: unknown;
  /** Null for the calls that need none: the token itself, and a group's bot. */
  readonly token: string | null;
  /** Limits the whole call: waiting for a connection, sending, and reading the last byte. */
  readonly timeoutMs: number;
}

export type FeishuResponse =
  | {
      readonly kind: 'responded';
      readonly status: number;
      /** Null when the body is no JSON object: a wrong path gets `404 text/plain`. */
      readonly json: Readonly<Record<string, unknown>> | null;
      /** `X-Tt-Logid`: Feishu's support finds the call by it. */
      readonly logId: string | null;
      /** `x-ogw-ratelimit-reset` in ms; null when Feishu did not limit the call. */
      readonly resetMs: number | null;
    }
  | { readonly kind: 'failed'; readonly detail: string };

export interface FeishuTransport {
  /** Never throws, follows no redirect, and sends nothing twice. */
  send(request: FeishuRequest): Promise<FeishuResponse>;
  /** Waits for the calls under way (each has its timeout), then closes. */
  end(): Promise<void>;
}

/**
 * Connections to Feishu's API, kept alive.
 *
 * @param baseUrl `https://open.feishu.cn`, or another origin that speaks the same
 * @throws TypeError when it is not an http(s) origin
 */
export function createFeishuTransport(baseUrl: string): FeishuTransport {
  const pool = new Pool(readOrigin(baseUrl), {
    connections: MAX_CONNECTIONS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: MAX_RESPONSE_BYTES,
  });
  return { send: (request) => sendOnce(pool, request), end: () => pool.close() };
}

async function sendOnce(pool: Pool, request: FeishuRequest): Promise<FeishuResponse> {
  try {
    const { statusCode, headers, body } = await pool.request({
      method: request.method,
      path: request.path,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        ...(request.token === null ? {} : { authorization: `Bearer ${request.token}` }),
      },
      body: request.body === null ? null : JSON.stringify(request.body),
      signal: AbortSignal.timeout(request.timeoutMs),
    });
    const text = await body.text();
    const isJson = headerOf(headers, 'content-type')?.startsWith('application/json') === true;
    const resetSeconds = Number(headerOf(headers, 'x-ogw-ratelimit-reset') ?? Number.NaN);
    return {
      kind: 'responded',
      status: statusCode,
      json: isJson ? readObject(text) : null,
      logId: headerOf(headers, 'x-tt-logid'),
      resetMs: resetSeconds >= 0 ? resetSeconds * 1000 : null,
    };
  } catch (error) {
    return { kind: 'failed', detail: errorName(error) };
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

function headerOf(headers: Headers, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function readObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? { ...value } : null;
  } catch {
    return null;
  }
}

/** The code of a failure alone, because a message may quote the request. */
function errorName(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown failure';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

function readOrigin(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === '';
  if (!isHttp || !isBare || url.username !== '' || url.password !== '') {
    throw new TypeError('the base URL of Feishu must be an origin: no path, query or login');
  }
  return url.origin;
}
