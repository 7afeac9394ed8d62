// Good callbacks beside other load, in one process and in a process of their own.
// `npm run bench -- floods` measures the same with more load.
import { randomBytes, randomUUID } from 'node:crypto';
import { request as send, type IncomingMessage } from 'node:http';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const times = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)));

/** Sends a request on a connection that may be kept. @returns its status and connection header */
function call(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<{ status: number | undefined; connection: string | undefined }> {
  const port = oncepay.apis[0]?.port;
  return new Promise((resolve, reject) => {
    const request = send({ port, method, path, headers: { ...headers, connection: 'keep-alive' } });
    request.on('error', reject);
    request.on('response', (response: IncomingMessage) => {
      response.resume();
      const { statusCode: status, headers: replied } = response;
      response.on('end', () => resolve({ status, connection: replied.connection }));
    });
    request.end(body);
  });
}

const forged = (): Record<string, string> => ({
  'content-type': 'application/json',
  'wechatpay-timestamp': String(Math.floor(Date.now() / 1_000)),
  'wechatpay-nonce': 'n0nce',
  'wechatpay-serial': oncepay.env['WECHATPAY_PUBLIC_KEY_ID'] ?? '',
  'wechatpay-signature': randomBytes(256).toString('base64'),
});

const sendGood = (notifyUrl: string) =>
  oncepay.simulator.sendRaw({ kind: 'unknown_shape', notifyUrl, id: randomUUID() });

test('good callbacks beside floods are accepted, and refused senders are cut off', async () => {
  const key = { authorization: `Bearer ${oncepay.keys.viewer}` };
  const floods = Promise.all([
    times(40, () => call('GET', '/v1/orders?limit=200', key)),
    times(40, () => call('GET', '/v1/orders/none', key)),
    times(120, () => call('GET', '/v1/orders')),
    times(40, () => call('POST', '/callbacks/wechat', forged(), 'x'.repeat(65_000))),
    times(40, () => call('POST', '/callbacks/wechat', {}, '{}')),
  ]);
  const good = await times(10, () => sendGood(oncepay.notifyUrl));
  expect(good.map(({ status }) => status)).toEqual(good.map(() => 204));
  const [lists, mistyped, keyless, large, unsigned] = await floods;
  const seen = (replies: typeof lists) => [
    ...new Set(replies.map(({ status, connection }) => `${String(status)} ${String(connection)}`)),
  ];
  expect(seen(lists)).toEqual(['200 keep-alive']);
  expect(seen(mistyped)).toEqual(['400 keep-alive']);
  expect(['401 close', '429 close']).toEqual(expect.arrayContaining(seen(keyless)));
  expect(seen([...large, ...unsigned])).toEqual(['401 close']);
});

test('a process with the role callbacks takes callbacks and has no other routes', async () => {
  const api = await oncepay.startApi({ ONCEPAY_API_ROLES: 'callbacks' });
  const { port } = api;
  const statuses = ['/v1/orders', '/openapi.json', '/healthz', '/metrics', '/callbacks/wechat'].map(
    async (path) => `${path} ${(await oncepay.call('GET', path, { port })).status}`,
  );
  expect(await Promise.all(statuses)).toEqual([
    '/v1/orders 404',
    '/openapi.json 404',
    '/healthz 200',
    '/metrics 200',
    '/callbacks/wechat 405',
  ]);
  expect(await sendGood(`http://127.0.0.1:${port}/callbacks/wechat`)).toMatchObject({
    status: 204,
  });
  // Another process has the role ops, and sweeps.
  const { host } = new URL(oncepay.env['WECHATPAY_BASE_URL'] ?? '');
  await until('the reply shows the sweep of the other process', async () => {
    const { body } = await oncepay.call('GET', '/readyz', { port });
    const { checks } = body as { checks: Record<string, string> };
    return checks['sweep'] === 'up' && checks['clock'] === 'ok' && checks['wechatpay'] === host
      ? true
      : null;
  });
  await api.kill();
});

test('a process without the role callbacks does not have their route', async () => {
  const api = await oncepay.startApi({ ONCEPAY_API_ROLES: 'api' });
  const { port } = api;
  const callback = await oncepay.call('POST', '/callbacks/wechat', { port, body: {} });
  const list = await oncepay.call('GET', '/v1/orders', { port });
  expect([callback.status, list.status]).toEqual([404, 200]);
  await api.kill();
});
