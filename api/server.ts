import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';

/** Longer than any answer of ours takes (close: 20 s); a request that arrives slower is cut. */
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
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
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    handler,
  );
  server.listen(port);
  await once(server, 'listening');
  return server;
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
