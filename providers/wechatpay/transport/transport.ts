// Sends one HTTP request to WeChat and returns the response, or why there is none.
import { Pool } from 'undici';
import type { HeaderBag } from '../crypto/signature';

/** A host that takes longer than this to accept a connection counts as away. */
export const CONNECT_TIMEOUT_MS = 3_000;

/** The largest response to our calls is the list of certificates, some 10 KB. */
const MAX_RESPONSE_BYTES = 1024 * 1024;

/** One connection carries one call at a time; 64 connections carry 300 calls/s at 200 ms each. */
const MAX_CONNECTIONS = 64;

/**
 * Calls under way or waiting for a connection. Further calls would only time out, so they fail at
 * once.
 */
const MAX_CALLS = 1_024;

/**
 * Shorter than the idle time of WeChat's servers, so that we seldom use a connection that they
 * closed.
 */
const KEEP_ALIVE_MS = 10_000;

export interface TransportRequest {
  readonly method: 'GET' | 'POST';
  /** As it was signed, with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it was signed, byte for byte. */
  readonly body: string | null;
  /** Limits the whole call: waiting for a connection, sending, and reading the last byte. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export type TransportResponse =
  | {
      readonly kind: 'responded';
      readonly status: number;
      readonly headers: HeaderBag;
      readonly body: Buffer;
    }
  | {
      readonly kind: 'failed';
      readonly code: 'TIMEOUT' | 'NETWORK_ERROR' | 'TEMPORARY_FAILURE';
      /** The cause of the failure. It holds nothing of the request. */
      readonly detail: string;
    };

export interface Transport {
  /** Never throws, follows no redirect, and sends nothing twice. */
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
  const abort = () => limit.abort();
  if (request.signal?.aborted === true) abort();
  request.signal?.addEventListener('abort', abort);
  try {
    const response = await pool.request({
      method: request.method,
      path: request.path,
      headers: request.headers,
      body: request.body,
      signal: limit.signal,
      headersTimeout: request.timeoutMs,
      bodyTimeout: request.timeoutMs,
    });
    const body = Buffer.from(await response.body.arrayBuffer());
    return { kind: 'responded', status: response.statusCode, headers: response.headers, body };
  } catch (error) {
    return describeFailure(error, state.timedOut, request);
  } finally {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', abort);
  }
}

function describeFailure(
  error: unknown,
  timedOut: boolean,
  request: TransportRequest,
): TransportResponse {
  const name = errorName(error);
  if (timedOut || name === 'UND_ERR_HEADERS_TIMEOUT' || name === 'UND_ERR_BODY_TIMEOUT') {
    const detail = `no response within ${request.timeoutMs} ms`;
    return { kind: 'failed', code: 'TIMEOUT', detail };
  }
  const detail = request.signal?.aborted === true ? 'cancelled by the caller' : name;
  return { kind: 'failed', code: 'NETWORK_ERROR', detail };
}

/**
 * The code of a failure alone (`ECONNREFUSED`, `UND_ERR_SOCKET`, …), because a message may quote
 * the request.
 */
export function errorName(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown failure';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return 'name' in error && typeof error.name === 'string' ? error.name : 'unknown failure';
}

/** @throws TypeError */
export function readOrigin(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:';
  const isBare = url?.pathname === '/' && url.search === '' && url.hash === '';
  if (!isHttp || !isBare || url.username !== '' || url.password !== '') {
    throw new TypeError('the base URL of WeChat Pay must be an origin: no path, query or login');
  }
  return url.origin;
}
