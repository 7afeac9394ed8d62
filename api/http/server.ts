// Starts and stops the HTTP server, and refuses what Node can't parse.
import { once } from 'node:events';
import {
  createServer,
  ServerResponse,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { STOP_GRACE_MS } from '../../config/stop-signals';
import { ApiError, invalidField, PROBLEM_TYPE, problemBody, sendProblem } from './problem';

/** Longer than any reply takes (close: 20 s). A request that arrives slower is cut off. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** How often Node looks for slow requests; its default of 30 s would double both limits. */
const TIMEOUT_CHECK_MS = 2_000;
/** Longer than the idle time of common load balancers, so that they close a connection first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;
/**
 * Requests that are being handled when the process has to stop may take this long. The rest of the
 * grace time is for the log of callbacks and the connections.
 */
const STOP_TIMEOUT_MS = STOP_GRACE_MS - 3_000;

/** How often a server that stops looks for connections on which nothing is under way. */
const IDLE_CHECK_MS = 100;
/** The first request of a connection that was opened just before the stop is on its way so long. */
const UNUSED_GRACE_MS = 1_000;

/** Every reply has these: no browser guesses its type, and no proxy keeps it. */
const EVERY_REPLY = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' } as const;

/** The address that a server listens at. */
export interface Address {
  readonly port: number;
  /** Null: every address of this host. */
  readonly host: string | null;
}

/** Decides about every request and connection of a server, before anything else. */
export interface Gate {
  /** Wraps what serves the requests. */
  readonly wrap: (listener: RequestListener) => RequestListener;
  /** Takes over the connections of a server, before the first one. */
  readonly takeOver: (server: Server) => void;
}

const OPEN_GATE: Gate = { wrap: (listener) => listener, takeOver: () => undefined };

/** A server that listens. */
export interface Listening {
  readonly server: Server;
  /** Refuses new connections, lets every accepted request finish, then closes the server. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts the server of an api or a worker. It refuses requests without a `Host` or with an
 * `Expect`, and these pass the gate like all others.
 * @param gate all requests pass when left out
 */
export async function listen(
  handler: RequestListener,
  address: Address,
  gate: Gate = OPEN_GATE,
): Promise<Listening> {
  const serve = gate.wrap((request, response) => {
    const refusal = refusalOf(request);
    if (refusal === null) {
      handler(request, response);
      return;
    }
    request.resume();
    sendProblem(response, refusal);
  });
  const onRequest: RequestListener = (request, response) => {
    for (const [name, value] of Object.entries(EVERY_REPLY)) response.setHeader(name, value);
    serve(request, response);
  };
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // The code above checks both, because Node's own refusals have no body and pass no gate.
    requireHostHeader: false,
  });
  server.on('request', onRequest).on('checkExpectation', onRequest);
  server.on('clientError', refuseMalformed);
  const unused = trackUnused(server);
  gate.takeOver(server);
  server.listen(address.port, address.host ?? undefined);
  await once(server, 'listening');
  return { server, stop: () => stopListening(server, unused) };
}

/** Node's own rule: it replies 100 to these, and they are requests like others. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** Why a request is refused that Node would refuse by itself; null when it is not. */
function refusalOf({ headers, httpVersion }: IncomingMessage): ApiError | null {
  const { host, expect } = headers;
  if (httpVersion === '1.0') return null;
  if (host === undefined) return invalidField('Host', 'is missing; send the header');
  if (expect === undefined || CONTINUE.test(expect)) return null;
  return invalidField('Expect', 'is not supported; leave the header out');
}

/**
 * Refuses a request that is not HTTP, has too large headers or arrives too slowly: it never reaches
 * a route. Node keeps the response of the request before it on the socket.
 */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const current = '_httpMessage' in socket ? socket._httpMessage : null;
  const response: ServerResponse | null = current instanceof ServerResponse ? current : null;
  if (response?.req.complete === true && !response.writableFinished) {
    // The request before this one is valid and gets its reply; this one gets none.
    response.once('finish', () => socket.end(() => socket.destroy()));
    return;
  }
  if (response?.headersSent === true) {
    socket.destroy();
    return;
  }
  const { line, status, problem } = malformedBy(error.code);
  const body = problemBody(problem, status);
  const always = Object.entries(EVERY_REPLY).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status} ${line}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      always.join('') +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** The status line and the problem for an error code of Node's HTTP parser. */
function malformedBy(code: string | undefined): {
  line: string;
  status: number;
  problem: ApiError;
} {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const detail = `The request has more than ${MAX_HEADER_BYTES} bytes of headers; send fewer`;
      const problem = new ApiError('PAYLOAD_TOO_LARGE', detail);
      return { line: 'Request Header Fields Too Large', status: 431, problem };
    }
    case 'ERR_HTTP_REQUEST_TIMEOUT': {
      const detail = 'The request did not arrive completely in time; send it again';
      const problem = new ApiError('VALIDATION_ERROR', detail);
      return { line: 'Request Timeout', status: 408, problem };
    }
    default: {
      const problem = new ApiError(
        'VALIDATION_ERROR',
        'This is not a well-formed HTTP/1.1 request',
      );
      return { line: 'Bad Request', status: 400, problem };
    }
  }
}

/** The connections of a server on which nothing has arrived yet. */
function trackUnused(server: Server): () => Socket[] {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return () => [...sockets].filter(({ bytesRead }) => bytesRead === 0);
}

async function stopListening(server: Server, unused: () => Socket[]): Promise<void> {
  const closed = once(server, 'close');
  // Each reply from now on closes its connection, so that no further request follows on it.
  const closeAfter: RequestListener = (_request, response) => {
    response.setHeader('connection', 'close');
  };
  server.prependListener('request', closeAfter).prependListener('checkExpectation', closeAfter);
  server.close();
  server.closeIdleConnections();
  const stoppedMs = performance.now();
  const idle = setInterval(() => {
    server.closeIdleConnections();
    // For Node, a connection is idle only after its first request.
    if (performance.now() - stoppedMs < UNUSED_GRACE_MS) return;
    for (const socket of unused()) socket.destroy();
  }, IDLE_CHECK_MS);
  const timer = setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}
