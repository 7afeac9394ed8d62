// Finds a free TCP port on this machine.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * These ports lie below the range from which Linux and macOS take the ports of outgoing
 * connections. So a server that is down for a while finds its port still free, and a client that
 * calls the port can't connect to itself by accident.
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
 * Returns a TCP port on 127.0.0.1 that is free at this moment; `preferred` if it is free. Another
 * process may take the port before the caller uses it: then try another one.
 * @throws when it finds no free port
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
