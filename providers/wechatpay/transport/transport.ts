import { Pool } from 'undici';
import type { HeaderBag } from '../crypto/signature';

/** The host answers or it does not: longer than this is an outage. */
const CONNECT_TIMEOUT_MS = 3_000;

/** The largest answer of the calls made here is a list of certificates, some 10 KB. */
const MAX_RESPONSE_BYTES = 1024 * 1024;

/** One connection carries one call at a time; 64 carry 300 calls/s at WeChat's 200 ms. */
const MAX_CONNECTIONS = 64;

/** Calls on their way or waiting for a connection; beyond, more waiting would only time out. */
const MAX_CALLS = 1_024;

/** Shorter than the idle time of WeChat's front end, so that we seldom meet a closed connection. */
const KEEP_ALIVE_MS = 10_000;

export interface TransportRequest {
  readonly method: 'GET' | 'POST';
  /** As it was signed, query included. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it was signed, byte for byte. */
  readonly body: string | null;
  /** For the whole call: waiting for a connection, sending, reading the last byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type TransportResponse =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: HeaderBag;
      readonly body: Buffer;
    }
  | {
      readonly kind: 'failed';
      readonly code: 'TIMEOUT' | 'NETWORK_ERROR' | 'TEMPORARY_FAILURE';
      /** What happened, without anything of the request. */
      readonly detail: string;
    };

export interface Transport {
  /** Never throws, follows no redirect, repeats nothing. */
  send(request: TransportRequest): Promise<TransportResponse>;
  /** Waits for the calls under way (each has its timeout), then closes. May be called again. */
  end(): Promise<void>;
}

/**
 * Connections to WeChat's API, kept alive.
 *
 * @param baseUrl `https://api.mch.weixin.qq.com`, or another origin that speaks the same.
 * @throws TypeError when it is not an http(s) origin: a path prefix is not supported, because the
 *   path is part of what is signed.
 */
export function createTransport(baseUrl: string): Transport {
  const pool = new Pool(readOrigin(baseUrl), {
    connections: MAX_CONNECTIONS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxResponseSize: MAX_RESPONSE_BYTES,
  });
  let calls = 0;
  let ending: Promise<void> | null = null;
  return {
    async send(request) {
      if (calls >= MAX_CALLS) {
        return { kind: 'failed', code: 'TEMPORARY_FAILURE', detail: 'too many calls under way' };
      }
      calls += 1;
      try {
        return await sendOnce(pool, request);
      } finally {
        calls -= 1;
      }
    },
    end: () => (ending ??= pool.close()),
  };
}

async function sendOnce(pool: Pool, request: TransportRequest): Promise<TransportResponse> {
  const limit = new AbortController();
  const state = { timedOut: false };
  const timer = setTimeout(() => {
    state.timedOut = true;
    limit.abort();
  }, request.timeoutMs);
  const giveUp = () => limit.abort();
  if (request.signal?.aborted === true) giveUp();
  request.signal?.addEventListener('abort', giveUp);
  try {
    const answer = await pool.request({
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: request.body,
      signal: limit.signal,
      headersTimeout: request.timeoutMs,
      bodyTimeout: request.timeoutMs,
    });
    const body = Buffer.from(await answer.body.arrayBuffer());
    return { kind: 'answered', status: answer.statusCode, headers: answer.headers, body };
  } catch (error) {
    return describeFailure(error, state.timedOut, request);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', giveUp);
  }
}

function describeFailure(
  error: unknown,
  timedOut: boolean,
  request: TransportRequest,
): TransportResponse {
  const name = errorName(error);
  if (timedOut || name === 'UND_ERR_HEADERS_TIMEOUT' || name === 'UND_ERR_BODY_TIMEOUT') {
    const detail = `no answer within ${request.timeoutMs} ms`;
    return { kind: 'failed', code: 'TIMEOUT', detail };
  }
  const detail = request.signal?.aborted === true ? 'given up by the caller' : name;
  return { kind: 'failed', code: 'NETWORK_ERROR', detail };
}

/** The code (`ECONNREFUSED`, `UND_ERR_SOCKET`, …) alone: a message may quote what was sent. */
function errorName(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown failure';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'unknown failure';
}

function readOrigin(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === '';
  if (!isHttp || !isBare || url.username !== '' || url.password !== '') {
    throw new TypeError('the base URL of WeChat Pay must be an origin: no path, query or login');
  }
  return url.origin;
}
