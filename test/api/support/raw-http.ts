// Sends raw bytes over a connection and reads the response.
import { connect } from 'node:net';

export interface RawResponse {
  /** null when the connection was closed without a response. */
  readonly status: number | null;
  readonly body: unknown;
  readonly headers: Headers;
  readonly text: string;
  readonly ms: number;
}

export interface RawOptions {
  /** Ends our side after the last chunk, without waiting for a response. */
  readonly halfClose?: boolean;
  /** Cuts the connection after the last chunk, without waiting for a response. */
  readonly cut?: boolean;
  /** The connection must get a response or be closed within this. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * Sends bytes as they are over a connection of their own and reads until it is closed or one whole
 * response has arrived.
 * @throws Error when neither happens in time
 */
export function exchange(
  port: number,
  chunks: readonly (string | Uint8Array)[],
  { halfClose = false, cut = false, timeoutMs = DEFAULT_TIMEOUT_MS }: RawOptions = {},
): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const socket = connect(port, '127.0.0.1');
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`neither a response nor a close within ${timeoutMs} ms: ${text}`));
    }, timeoutMs);
    const finish = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(readResponse(text, performance.now() - started));
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (isWhole(text)) finish();
    });
    // A reset counts as a close: no response can follow.
    socket.on('error', () => undefined);
    socket.on('close', finish);
    socket.on('connect', () => {
      for (const chunk of chunks) socket.write(chunk);
      if (halfClose) socket.end();
      if (cut) socket.write('', () => socket.resetAndDestroy());
    });
  });
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0 || text.startsWith('HTTP/1.1 100')) return false;
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1];
  if (length === undefined) return / 204 /.test(text.slice(0, 20));
  return Buffer.byteLength(text.slice(end + 4)) >= Number(length);
}

function readResponse(text: string, ms: number): RawResponse {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1];
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return {
    status: status === undefined ? null : Number(status),
    body: readJson(rest.join('\r\n\r\n')),
    headers,
    text,
    ms,
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
