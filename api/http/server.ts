import { once } from 'node:events';
import { createServer, ServerResponse, type RequestListener, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, invalidField, PROBLEM_TYPE, problemBody, sendProblem } from './problem';

/** Longer than any answer of ours takes (close: 20 s); a request that arrives slower is cut. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** Node looks for requests that are too slow this often; its own 30 s would double both limits. */
const TIMEOUT_CHECK_MS = 2_000;
/** Longer than the idle time of the usual load balancers, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** What is under way when we are asked to stop has this long. */
const STOP_TIMEOUT_MS = 25_000;

export async function listen(handler: RequestListener, port: number): Promise<Server> {
  const server = createServer(
    {
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Checked below: Node's own refusals of what reaches it have no body.
      requireHostHeader: false,
    },
    (request, response) => {
      if (request.headers.host !== undefined || request.httpVersion === '1.0') {
        handler(request, response);
        return;
      }
      request.resume();
      sendProblem(response, invalidField('Host', 'is missing'));
    },
  );
  server.on('checkExpectation', (request, response) => {
    request.resume();
    sendProblem(response, invalidField('Expect', 'asks for something that is not offered'));
  });
  server.on('clientError', refuseMalformed);
  server.listen(port);
  await once(server, 'listening');
  return server;
}

/**
 * What is no HTTP, has too large headers or comes too slowly never reaches a route. Node keeps the answer
 * under way on the socket.
 */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const current = '_httpMessage' in socket ? socket._httpMessage : null;
  const answering: ServerResponse | null = current instanceof ServerResponse ? current : null;
  if (answering?.req.complete === true && !answering.writableFinished) {
    // The request before is good and gets its own answer; what follows it gets none.
    answering.once('finish', () => socket.end(() => socket.destroy()));
    return;
  }
  if (answering?.headersSent === true) {
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

function refusalOf(code: string | undefined): { line: string; status: number; problem: ApiError } {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const problem = new ApiError('PAYLOAD_TOO_LARGE', 'The headers are too large');
      return { line: 'Request Header Fields Too Large', status: 431, problem };
    }
    case 'ERR_HTTP_REQUEST_TIMEOUT': {
      const problem = new ApiError('VALIDATION_ERROR', 'The request did not arrive whole in time');
      return { line: 'Request Timeout', status: 408, problem };
    }
    default: {
      const problem = new ApiError('VALIDATION_ERROR', 'This is not a well-formed HTTP request');
      return { line: 'Bad Request', status: 400, problem };
    }
  }
}

/** Takes no new connection, lets every accepted request finish, then closes. */
export async function stopListening(server: Server): Promise<void> {
  const closed = once(server, 'close');
  // Each answer from now on ends its connection, so that no request slips in behind it.
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
