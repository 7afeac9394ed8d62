import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range from which Linux and macOS take the ports of outgoing connections: a server that is
 * down for a while finds its port still free, and a client that calls it can't get itself on the line.
 */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;
const MAX_TRIES = 200;

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/**
 * A TCP port on 127.0.0.1 that nobody listens on at this moment; `preferred` if it is free.
 * Another process may take it before its user does: retry with another one then.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await canListen(preferred))) return preferred;
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await canListen(port)) return port;
  }
  throw new Error(
    `Found no free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1: end some programs.`,
  );
}
