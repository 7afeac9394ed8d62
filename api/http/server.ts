// Starts and stops the HTTP server, and refuses what Node can't parse.
import { once } from 'node:events';
import { createServer, ServerResponse, type RequestListener, type Server } from 'node:http';
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

/** Starts the server on a port. It refuses requests without a `Host` or with an `Expect`. */
export async function listen(handler: RequestListener, port: number): Promise<Server> {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The code below checks it, because Node's own refusal has no body.
      requireHostHeader: false,
    },
    (request, response) => {
      if (request.headers.host !== undefined || request.httpVersion === '1.0') {
        handler(request, response);
        return;
      }
      request.resume();
      sendProblem(response, invalidField('Host', 'is missing; send the header'));
    },
  );
  server.on('checkExpectation', (request, response) => {
    request.resume();
    sendProblem(response, invalidField('Expect', 'is not supported; leave the header out'));
  });
  server.on('clientError', refuseMalformed);
  server.listen(port);
  await once(server, 'listening');
  return server;
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
  const { line, status, problem } = refusalOf(error.code);
  const body = problemBody(problem, status);
  socket.end(
    `HTTP/1.1 ${status} ${line}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** The status line and the problem for an error code of Node's HTTP parser. */
function refusalOf(code: string | undefined): { line: string; status: number; problem: ApiError } {
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

/** Refuses new connections, lets every accepted request finish, then closes the server. */
export async function stopListening(server: Server): Promise<void> {
  const closed = once(server, 'close');
  // Each reply from now on closes its connection, so that no further request follows on it.
  server.prependListener('request', (_request, response) => {
    response.setHeader('connection', 'close');
  });
  server.close();
  server.closeIdleConnections();
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  const timer = setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(timer);
}
