// The HTTP server of the api: the requests under way when it stops.
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listen, stopListening } from '../../../api/http/server';

test('a server that stops replies to what it accepted, then closes', async () => {
  const held: ServerResponse[] = [];
  let arrived = (): void => undefined;
  const bothArrived = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = await listen((_request, response) => {
    held.push(response);
    if (held.length === 2) arrived();
  }, 0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const replies = [fetch(url), fetch(url)];
  await bothArrived;

  const stopped = stopListening(server);
  await expect(fetch(url)).rejects.toThrow();
  for (const response of held) response.end('late');
  for (const reply of await Promise.all(replies)) {
    expect([reply.status, await reply.text()]).toEqual([200, 'late']);
  }
  await stopped;
  expect(server.listening).toBe(false);
});
