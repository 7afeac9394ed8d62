// Tests on a real server which connections are kept, and that each has one request under way.
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createAdmission } from '../../../api/admission/admission';
import { KEY_LIMITS, KEYLESS_LIMITS } from '../../../api/admission/lines';
import { awaitBody, holdPlace } from '../../../api/admission/places';
import { listen } from '../../../api/http/server';

interface Held {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

let server: Server;
let port: number;
let held: Held[];
let serve: (request: IncomingMessage, response: ServerResponse) => void;
const sockets: Socket[] = [];

beforeEach(async () => {
  held = [];
  serve = (_request, response) => response.end('ok');
  const admission = createAdmission(({ headers }) => headers.authorization ?? null);
  const address = { port: 0, host: '127.0.0.1' };
  ({ server } = await listen((...both) => serve(...both), address, admission));
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const hold = (request: IncomingMessage, response: ServerResponse) =>
  held.push({ request, response });

const get = (path: string, key?: string) =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\n${key === undefined ? '' : `authorization: ${key}\r\n`}\r\n`;

/** A connection, and what has arrived on it. */
async function open() {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  let isClosed = false;
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
  socket.on('error', () => undefined);
  socket.on('close', () => (isClosed = true));
  await once(socket, 'connect');
  return {
    send: (bytes: string) => socket.write(bytes),
    text: () => text,
    replies: () => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
    isClosed: () => isClosed,
  };
}

async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 9_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`It never held: ${String(holds)}`);
    await nextTurn();
  }
}

test.each([
  ['a request without a key', get('/v1/orders'), true],
  ['a health check', get('/healthz'), true],
  ['a request with a key', get('/v1/orders', 'shop'), false],
  ['a callback', 'POST /callbacks/wechat HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n', false],
])(
  '%s is replied to, and only one with a key or a callback keeps its connection',
  async (_what, bytes, closes) => {
    const connection = await open();
    connection.send(bytes);
    await until(() => connection.text().endsWith('ok') && (!closes || connection.isClosed()));
    expect(/^connection: (.+)\r$/im.exec(connection.text())?.[1]).toBe(
      closes ? 'close' : 'keep-alive',
    );
  },
);

test.each([
  ['without a Host', 'GET /v1/orders HTTP/1.1\r\n'],
  ['with a bad Expect', 'GET /v1/orders HTTP/1.1\r\nhost: x\r\nexpect: x\r\n'],
])(
  'a request %s passes the admission: 400, and without a key the connection ends',
  async (...row) => {
    const [, head] = row;
    const keyless = await open();
    keyless.send(`${head}\r\n`.repeat(20));
    await until(() => keyless.isClosed());
    expect(keyless.replies()).toEqual([400]);
    const withKey = await open();
    withKey.send(`${head}authorization: shop\r\n\r\n`.repeat(20));
    await until(() => withKey.replies().length === 20);
    expect(new Set(withKey.replies())).toEqual(new Set([400]));
    expect(withKey.isClosed()).toBe(false);
  },
);

test('a full line refuses a request with a bad Expect like any other', async () => {
  serve = hold;
  const places = KEYLESS_LIMITS.atWork + KEYLESS_LIMITS.waiting;
  const all = await Promise.all(Array.from({ length: places + 1 }, open));
  for (const connection of all) connection.send(get('/v1/orders'));
  await until(() => all.some(({ replies }) => replies()[0] === 429));
  const next = await open();
  next.send('GET /v1/orders HTTP/1.1\r\nhost: x\r\nexpect: x\r\n\r\n');
  await until(() => next.isClosed());
  expect(next.replies()).toEqual([429]);
});

test('pipelined requests are served one after the other, in their order', async () => {
  serve = hold;
  const count = 500;
  const connection = await open();
  connection.send(Array.from({ length: count }, (_, n) => get(`/v1/${n}`, 'shop')).join(''));
  for (let n = 0; n < count; n += 1) {
    await until(() => held.length > 0);
    await nextTurn();
    expect(held.map(({ request }) => request.url)).toEqual([`/v1/${n}`]);
    held.pop()?.response.end();
  }
  await until(() => connection.replies().length === count);
});

test('bodies of pipelined requests arrive whole, also large ones', async () => {
  const bodies = ['a'.repeat(200_000), 'b', 'c'.repeat(70_000)];
  const seen: string[] = [];
  serve = (request, response) => {
    let body = '';
    request.on('data', (data: Buffer) => (body += data.toString()));
    request.on('end', () => {
      seen.push(body);
      response.end('ok');
    });
  };
  const connection = await open();
  for (const body of bodies) {
    const head = `POST /v1/x HTTP/1.1\r\nhost: x\r\nauthorization: shop\r\n`;
    connection.send(`${head}content-length: ${body.length}\r\n\r\n${body}`);
  }
  await until(() => connection.replies().length === bodies.length);
  expect(seen).toEqual(bodies);
});

test('a large reply before the body has ended, read late, holds the next request', async () => {
  const large = 'x'.repeat(8_000_000);
  serve = (request, response) => {
    request.resume();
    response.end(request.url === '/v1/early' ? large : 'ok');
  };
  const connection = await open();
  const [socket] = sockets.slice(-1);
  socket?.pause();
  const head = 'POST /v1/early HTTP/1.1\r\nhost: x\r\nauthorization: shop\r\n';
  connection.send(`${head}content-length: 5\r\n\r\nab`);
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
  connection.send(`cde${get('/v1/next', 'shop').repeat(3)}`);
  for (let turn = 0; turn < 50; turn += 1) await nextTurn();
  socket?.resume();
  await until(() => connection.replies().length === 4);
  expect(connection.replies()).toEqual([200, 200, 200, 200]);
});

test('a full line gives 429 with Retry-After, but not to callbacks and health checks', async () => {
  serve = (request, response) => {
    if (request.url === '/v1/orders') hold(request, response);
    else response.end('ok');
  };
  const places = KEYLESS_LIMITS.atWork + KEYLESS_LIMITS.waiting;
  const all = await Promise.all(Array.from({ length: places + 1 }, open));
  for (const connection of all) connection.send(get('/v1/orders'));
  const isRefused = ({ replies }: (typeof all)[number]) => replies()[0] === 429;
  await until(() => all.some(isRefused));
  const refused = all.filter(isRefused);
  await until(() => refused.every((connection) => connection.isClosed()));
  expect(refused).toHaveLength(1);
  expect(refused[0]?.text()).toMatch(/retry-after: 1\r/i);
  expect(refused[0]?.text()).toContain('"code":"TOO_MANY_REQUESTS"');
  for (const bytes of [
    get('/healthz'),
    get('/v1/x', 'shop'),
    'POST /callbacks/wechat HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n',
  ]) {
    const connection = await open();
    connection.send(bytes);
    await until(() => connection.replies().length > 0);
    expect(connection.replies()).toEqual([200]);
  }
  serve = (_request, response) => response.end('ok');
  for (const { response } of held) response.end('ok');
  const others = all.filter((connection) => !isRefused(connection));
  await until(() => others.every(({ replies }) => replies()[0] === 200));
});

test('bodies of two keys that never end leave places to the requests of a third', async () => {
  let begun = 0;
  serve = (request, response) => {
    void holdPlace(async () => {
      begun += 1;
      if (request.method === 'POST') await awaitBody(once(request.resume(), 'end'));
      response.end('ok');
    }).catch(() => response.destroy());
  };
  const slow = await Promise.all(
    Array.from({ length: 2 * KEY_LIMITS.atWork }, async (_, n) => {
      const connection = await open();
      const headers = `host: x\r\nauthorization: key${n % 2}\r\ncontent-length: 2\r\n`;
      connection.send(`POST /v1/orders HTTP/1.1\r\n${headers}\r\n{`);
      return connection;
    }),
  );
  await until(() => begun === slow.length);
  const connection = await open();
  connection.send(get('/v1/x', 'shop'));
  await until(() => connection.text().endsWith('ok'));
  for (const one of slow) one.send('}');
  await until(() => slow.every((one) => one.text().endsWith('ok')));
});

test('of one address 256 connections are kept, and one more is served and closed', async () => {
  const kept = await Promise.all(Array.from({ length: 256 }, open));
  for (const connection of kept) connection.send(get('/v1/x', 'shop'));
  await until(() => kept.every((connection) => connection.text().endsWith('ok')));
  const above = await open();
  above.send(get('/v1/x', 'shop'));
  await until(() => above.isClosed());
  expect(above.text()).toMatch(/^HTTP\/1\.1 200 [^]*connection: close[^]*ok$/i);
  expect(kept.some((connection) => connection.isClosed())).toBe(false);
  kept[0]?.send(get('/v1/x', 'shop'));
  await until(() => kept[0]?.replies().length === 2);
});

test('a caller that hangs up while its request waits leaves the line', async () => {
  serve = hold;
  const all = KEYLESS_LIMITS.atWork + KEYLESS_LIMITS.waiting;
  const gone = await Promise.all(Array.from({ length: all }, open));
  for (const connection of gone) connection.send(get('/v1/orders'));
  await until(() => held.length > 0);
  serve = (_request, response) => response.end('ok');
  for (const socket of sockets) socket.resetAndDestroy();
  let status: number | undefined = 429;
  while (status === 429) {
    const next = await open();
    next.send(get('/v1/orders'));
    await until(() => next.replies().length > 0);
    [status] = next.replies();
  }
  expect(status).toBe(200);
});
