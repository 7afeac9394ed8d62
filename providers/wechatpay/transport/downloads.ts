// Downloads a file from WeChat as a stream: the calls' transport holds whole responses.
import { Pool } from 'undici';
import type { HeaderBag } from '../crypto/signature';
import { CONNECT_TIMEOUT_MS, errorName, readOrigin, type TransportResponse } from './transport';

/** A trade bill of 1,000,000 lines has 244 MB, and 30 MB packed. This is for 30 times as much. */
const MAX_RESPONSE_BYTES = 1024 ** 3;

/** WeChat sends without pauses. A reader that is slower than WeChat is no idleness. */
const IDLE_TIMEOUT_MS = 30_000;

/** One minute for the file, the rest for the database that takes it in meanwhile. */
const WHOLE_TIMEOUT_MS = 20 * 60_000;

/** The trade bill and the fund-flow bill of a day, side by side. */
const MAX_CONNECTIONS = 2;

export interface DownloadLimits {
  readonly responseBytes: number;
  /** Without a byte: for the headers, and between two pieces of the body. */
  readonly idleMs: number;
  /** From the request to the last byte. */
  readonly wholeMs: number;
}

export const DOWNLOAD_LIMITS: DownloadLimits = {
  responseBytes: MAX_RESPONSE_BYTES,
  idleMs: IDLE_TIMEOUT_MS,
  wholeMs: WHOLE_TIMEOUT_MS,
};

/** A download that broke off after it had begun. The message holds nothing of the request. */
export class BrokenDownload extends Error {
  readonly code: 'TIMEOUT' | 'NETWORK_ERROR';

  constructor(code: 'TIMEOUT' | 'NETWORK_ERROR', detail: string) {
    super(detail);
    this.name = 'BrokenDownload';
    this.code = code;
  }
}

/** To be read once. Its iteration throws {@link BrokenDownload}. */
export interface DownloadBody extends AsyncIterable<Buffer> {
  /** Closes the connection, also while a piece is awaited. May be called at any time. */
  readonly leave: () => void;
}

export type OpenedDownload =
  | {
      readonly kind: 'opened';
      readonly status: number;
      readonly headers: HeaderBag;
      readonly body: DownloadBody;
    }
  | Extract<TransportResponse, { kind: 'failed' }>;

export interface Downloads {
  /** `scheme://host:port`, as `URL.origin` has it. */
  readonly origin: string;
  /** One signed GET. Never throws, follows no redirect, and sends nothing twice. */
  open(request: {
    /** As it was signed, with its query. */
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal | undefined;
  }): Promise<OpenedDownload>;
  /** Ends the downloads under way: each can be begun anew. May be called again. */
  end(): Promise<void>;
}

/**
 * Downloads from one origin. Its connections lead nowhere else, so that no signed header can.
 *
 * @throws TypeError when `baseUrl` is not an http(s) origin.
 */
export function createDownloads(baseUrl: string, limits = DOWNLOAD_LIMITS): Downloads {
  const origin = readOrigin(baseUrl);
  const pool = new Pool(origin, {
    connections: MAX_CONNECTIONS,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    maxResponseSize: limits.responseBytes,
    headersTimeout: limits.idleMs,
    bodyTimeout: limits.idleMs,
  });
  let ending: Promise<void> | null = null;
  return {
    origin,
    async open({ path, headers, signal: cancelled }) {
      const left = new AbortController();
      const signal = AbortSignal.any([
        left.signal,
        AbortSignal.timeout(limits.wholeMs),
        ...(cancelled === undefined ? [] : [cancelled]),
      ]);
      try {
        const response = await pool.request({ method: 'GET', path, headers, signal });
        const { statusCode: status, headers: responseHeaders } = response;
        const body = {
          [Symbol.asyncIterator]: () => piecesOf(response.body, cancelled),
          leave: () => left.abort(),
        };
        return { kind: 'opened', status, headers: responseHeaders, body };
      } catch (error) {
        const { code, message: detail } = failureOf(error, cancelled);
        return { kind: 'failed', code, detail };
      }
    },
    end: () => (ending ??= pool.destroy()),
  };
}

async function* piecesOf(
  body: AsyncIterable<Buffer>,
  cancelled: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw failureOf(error, cancelled);
  }
}

const TIMEOUTS = new Set(['TimeoutError', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

function failureOf(error: unknown, cancelled: AbortSignal | undefined): BrokenDownload {
  if (cancelled?.aborted === true) {
    return new BrokenDownload('NETWORK_ERROR', 'cancelled by the caller');
  }
  const name = errorName(error);
  return TIMEOUTS.has(name)
    ? new BrokenDownload('TIMEOUT', 'the download took too long')
    : new BrokenDownload('NETWORK_ERROR', name);
}
