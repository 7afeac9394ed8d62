// Which replies of the shop accept a webhook.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Agent } from 'undici';
import { createWebhookPort } from '../../../activities/outbound/send-webhook';

/** A shop in a thread of its own: it replies also while the test's thread is busy. */
const SHOP = `
  const { createServer } = require('node:http');
  const { parentPort } = require('node:worker_threads');
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      parentPort.postMessage('received');
      if (request.url === '/silent') return;
      response.writeHead(request.url === '/refusing' ? 500 : 200);
      if (request.url === '/endless') response.write('{');
      else response.end();
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

const TIMEOUT_MS = 300;
const DELIVERY = { id: 'no:order.paid', payload: {} };

let shop: Worker;
let port: number;
const dispatcher = new Agent();
beforeAll(async () => {
  shop = new Worker(SHOP, { eval: true });
  [port] = (await once(shop, 'message')) as [number];
});
afterAll(async () => {
  await Promise.all([dispatcher.destroy(), shop.terminate()]);
});

const send = (path: string) =>
  createWebhookPort({
    url: `http://127.0.0.1:${port}${path}`,
    secret: 'whsec_c2VjcmV0c2VjcmV0c2VjcmV0',
    dispatcher,
    now: Date.now,
    timeoutMs: TIMEOUT_MS,
  }).send(DELIVERY as unknown as Parameters<ReturnType<typeof createWebhookPort>['send']>[0]);

/** Keeps this thread from everything else. */
function beBusy(ms: number): void {
  const endMs = Date.now() + ms;
  while (Date.now() < endMs);
}

test('a reply of 200 accepts it, one of 500 does not', async () => {
  expect(await send('/')).toBeNull();
  expect(await send('/refusing')).toBe('HTTP 500');
});

test('no reply in time does not accept it', async () => {
  expect(await send('/silent')).toMatch(/TimeoutError/);
});

test('a status line of 200 accepts it, also when the body never ends', async () => {
  expect(await send('/endless')).toBeNull();
});

test('the worker is too busy to read the reply, which came in time: it accepts it', async () => {
  const received = once(shop, 'message');
  const sending = send('/');
  await received;
  beBusy(2 * TIMEOUT_MS);
  expect(await sending).toBeNull();
});
