import { createServer, type Server } from 'node:http';
import { once } from 'node:events';

/** `/healthz`: the process lives. `/readyz`: it takes work. */
export async function startHealthServer(port: number, ready: () => object | null): Promise<Server> {
  const server = createServer((request, response) => {
    const body = request.url === '/readyz' ? ready() : request.url === '/healthz' ? {} : undefined;
    const status = body === undefined ? 404 : body === null ? 503 : 200;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ status: status === 200 ? 'ok' : 'not ready', ...body }));
  });
  server.listen(port);
  await once(server, 'listening');
  return server;
}
