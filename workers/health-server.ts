// Serves a worker's health and metrics over HTTP.
import type { Registry } from 'prom-client';
import { listen, type Address, type Listening } from '../api/http/server';

/**
 * Starts the server. `/healthz`: the process lives. `/readyz`: it takes work. `/metrics`: its
 * counters.
 * @param ready the body of `/readyz`; null while the worker is not ready, which is a 503
 */
export function startHealthServer(
  address: Address,
  ready: () => object | null,
  registry?: Registry,
): Promise<Listening> {
  return listen((request, response) => {
    const [path] = (request.url ?? '').split('?');
    if (registry && path === '/metrics') {
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
      return;
    }
    const body = path === '/readyz' ? ready() : path === '/healthz' ? {} : undefined;
    const status = body === undefined ? 404 : body === null ? 503 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: status === 200 ? 'ok' : 'not ready', ...body }));
  }, address);
}
