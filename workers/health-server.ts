// Serves a worker's health and metrics over HTTP.
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { Registry } from 'prom-client';

/**
 * Starts the server. `/healthz`: the process lives. `/readyz`: it takes work. `/metrics`: its
 * counters.
 * @param ready the body of `/readyz`; null while the worker is not ready, which is a 503
 */
export async function startHealthServer(
  port: number,
  ready: () => object | null,
  registry?: Registry,
): Promise<Server> {
  const server = createServer((request, response) => {
    if (registry && request.url === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
      return;
    }
    const body = request.url === '/readyz' ? ready() : request.url === '/healthz' ? {} : undefined;
    const status = body === undefined ? 404 : body === null ? 503 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: status === 200 ? 'ok' : 'not ready', ...body }));
  });
  server.listen(port);
  await once(server, 'listening');
  return server;
}
