// Bodies that are made to keep the api busy: each is refused, and no callback waits for it.
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { openApi, operationsOf } from '../support/openapi-document';

jest.setTimeout(120_000);

/** Longer than the event loop of an idle process is late in the same seconds. */
const LIMIT_MS = 20;
/** The machine itself may stop a process for a while; then the same requests are measured again. */
const MEASUREMENTS = 10;

let oncepay: TestOncepay;
/** An api without requests, for comparison. */
let idlePort: number;
/** Every call with a body, with values for its path. */
let calls: { readonly method: string; readonly path: string }[];
beforeAll(async () => {
  oncepay = await startTestOncepay({ workers: 0, asInProduction: true });
  idlePort = (await oncepay.startApi()).port;
  const { body } = await oncepay.call('GET', '/openapi.json');
  calls = operationsOf(openApi.parse(body))
    .filter(({ method, path }) => ['post', 'put'].includes(method) && path.startsWith('/v1/'))
    .map(({ method, path }) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, '20260101041A2B3C4D5E'),
    }));
  expect(calls.length).toBeGreaterThan(12);
});

afterAll(() => oncepay.stop());

const repeat = (count: number, entry: string) => Array<string>(count).fill(entry).join(',');
const fields = (count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"field${index}":${index}`).join(',')}}`;
const deep = (leaf: string) => `${'{"a":['.repeat(7)}${leaf}${']}'.repeat(7)}`;

/** Each at most 256 KiB; nothing that the api has to refuse by its length alone. */
const EVIL: readonly (readonly [what: string, body: string])[] = [
  [
    '40,000 numbers that no double keeps, deep inside',
    `{"metadata":${deep(repeat(40_000, '1e999'))}}`,
  ],
  ['5,000 of them', `{"metadata":${deep(repeat(5_000, '1e999'))}}`],
  ['12,000 unknown fields', fields(12_000)],
  ['85,000 items', `{"items":[${repeat(85_000, '{}')}]}`],
  ['60,000 codes', `{"codes":[${repeat(60_000, '"c"')}]}`],
  ['260,000 levels', '['.repeat(260_000)],
  ['40,000 levels of objects', '{"a":'.repeat(40_000)],
  ['a number of 250,000 digits', `{"delta":1${'0'.repeat(125_000)}1${'0'.repeat(125_000)}1}`],
  ['a text of 250 KB', `{"name":"${'x'.repeat(250_000)}"}`],
  ['a text of 40,000 control characters', `{"note":"${'\\u0001'.repeat(40_000)}"}`],
  ['a name of 250 KB', `{"${'n'.repeat(250_000)}":1}`],
  ['1,990 unknown fields', fields(1_990)],
  ['200 items, each wrong in seven fields', `{"items":[${repeat(200, fields(7))}]}`],
  ['1,000 codes, each wrong', `{"codes":[${repeat(1_000, '""')}]}`],
  ['1,990 receivers, each wrong', `{"receivers":[${repeat(1_990, '1')}]}`],
  ['metadata of 190 leaves on 14 levels', `{"metadata":${deep(repeat(180, '"x"'))}}`],
];

/** The longest delay of an api's event loop since the last call, in ms, from `perf_hooks`. */
async function longestDelayMs(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const name = 'oncepay_api_nodejs_eventloop_lag_max_seconds';
  const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ')[1]) * 1_000;
}

/** How much later than an idle process's the event loop was while `work` went on, in ms. */
async function delayOver(work: () => Promise<void>): Promise<number> {
  const port = oncepay.apis[0]?.port ?? 0;
  await Promise.all([longestDelayMs(port), longestDelayMs(idlePort)]);
  await work();
  const [busy, idle] = await Promise.all([longestDelayMs(port), longestDelayMs(idlePort)]);
  return busy - idle;
}

async function measured(work: () => Promise<void>): Promise<number> {
  await work();
  let best = Number.POSITIVE_INFINITY;
  for (let count = 0; count < MEASUREMENTS && best > LIMIT_MS; count += 1) {
    best = Math.min(best, await delayOver(work));
  }
  return best;
}

test.each(EVIL)('%s are refused in every route and hold no callback up', async (_what, rawBody) => {
  expect(rawBody.length).toBeLessThanOrEqual(256 * 1_024);
  const send = async () => {
    for (const { method, path } of calls) {
      const reply = await oncepay.call(method, path, { rawBody });
      expect([path, reply.status]).toEqual([path, 400]);
      expect(JSON.stringify(reply.body).length).toBeLessThan(10_000);
      const { errors = [] } = reply.body as { errors?: unknown[] };
      expect(errors.length).toBeLessThanOrEqual(20);
    }
    const callback = rawBody.slice(0, 64 * 1_024);
    const reply = await oncepay.call('POST', '/callbacks/wechat', { rawBody: callback });
    expect(reply.status).toBe(401);
  };
  expect(await measured(send)).toBeLessThanOrEqual(LIMIT_MS);
});

test('20 errors are named and the others counted', async () => {
  const { body } = await oncepay.call('PUT', '/v1/products/x', { rawBody: fields(100) });
  const { errors, errors_left: left } = body as { errors?: unknown[]; errors_left?: number };
  expect(errors).toHaveLength(20);
  expect(left).toBe(82);
});

test('1,000 good codes are added while callbacks go on', async () => {
  const sku = 'many-codes';
  await oncepay.call('PUT', `/v1/products/${sku}`, { body: { name: sku, kind: 'virtual' } });
  let round = 0;
  const add = async () => {
    round += 1;
    const codes = Array.from({ length: 1_000 }, (_, index) => `code-${round}-${index}`);
    const reply = await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ codes_left: round * 1_000 });
  };
  expect(await measured(add)).toBeLessThanOrEqual(LIMIT_MS);
});

test('orders of 200 items are created while callbacks go on', async () => {
  const items = Array.from({ length: 200 }, (_, n) => ({
    sku: `s-${n}`,
    quantity: 1,
    unit_price: 1,
  }));
  const amount = { total: 200, currency: 'CNY' };
  let round = 0;
  const order = async () => {
    round += 1;
    const body = { channel: 'admin', user_id: `u-${round}`, description: 'many', items, amount };
    const reply = await oncepay.call('POST', '/v1/orders', { body });
    expect([201, 503]).toContain(reply.status);
  };
  expect(await measured(order)).toBeLessThanOrEqual(LIMIT_MS);
});
