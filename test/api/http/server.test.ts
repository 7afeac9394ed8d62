// The HTTP server of the api: the requests under way when it stops.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { listen } from '../../../api/http/server';
import { exchange } from '../support/raw-http';

const LOOPBACK = { port: 0, host: '127.0.0.1' };

test('a server that stops replies to what it accepted, then closes', async () => {
  const held: ServerResponse[] = [];
  let arrived = (): void => undefined;
  const bothArrived = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const { server, stop } = await listen((_request, response) => {
    held.push(response);
    if (held.length === 2) arrived();
  }, LOOPBACK);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;
  const replies = [fetch(url), fetch(url)];
  await bothArrived;

  const stopped = stop();
  await expect(fetch(url)).rejects.toThrow();
  for (const response of held) response.end('late');
  for (const reply of await Promise.all(replies)) {
    expect([reply.status, await reply.text()]).toEqual([200, 'late']);
  }
  await stopped;
  expect(server.listening).toBe(false);
});

test.each<[what: string, sendsAfterMs: number | null, status: number | null]>([
  ['sends nothing is closed long before its time limit', null, null],
  ['sends its first request in a moment gets its reply', 200, 200],
])('while a server stops, a connection that %s', async (_what, sendsAfterMs, status) => {
  const { server, stop } = await listen((_request, response) => {
    response.writeHead(200, { 'content-length': 0 }).end();
  }, LOOPBACK);
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await Promise.all([once(socket, 'connect'), once(server, 'connection')]);
  let text = '';
  socket.on('data', (data: Buffer) => (text += data.toString()));
  const startedMs = performance.now();
  const stopped = stop();
  if (sendsAfterMs !== null) {
    setTimeout(() => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'), sendsAfterMs);
  }
  await Promise.all([stopped, once(socket, 'close')]);
  expect(performance.now() - startedMs).toBeLessThan(4_000);
  expect(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? null).toBe(status === null ? null : String(status));
});

test('a server with a bind address listens at that address alone', async () => {
  const { server, stop } = await listen((_request, response) => response.end(), LOOPBACK);
  expect(server.address()).toMatchObject({ address: '127.0.0.1' });
  await stop();
});

test.each<[what: string, request: string, status: string]>([
  ['a good request', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n', '200'],
  ['a request without a host', 'GET / HTTP/1.1\r\n\r\n', '400'],
  ['an expectation', 'GET / HTTP/1.1\r\nhost: a\r\nexpect: x\r\n\r\n', '400'],
  ['no HTTP', 'hello\r\n\r\n', '400'],
  ['too large headers', `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
])('the reply to %s has nosniff and no-store', async (_what, request, status) => {
  const { server, stop } = await listen((_request, response) => {
    response.writeHead(200, { 'content-length': 0 }).end();
  }, LOOPBACK);
  const { port } = server.address() as AddressInfo;
  const { text } = await exchange(port, [request]);
  expect(text.split('\r\n')[0]).toContain(` ${status} `);
  expect(text).toMatch(/^x-content-type-options: nosniff\r$/im);
  expect(text).toMatch(/^cache-control: no-store\r$/im);
  await stop();
});
