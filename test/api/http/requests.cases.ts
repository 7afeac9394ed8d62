// Bodies and raw HTTP requests that the api accepts or refuses.
import { gzipSync } from 'node:zlib';
import { MAX_BODY_BYTES } from '../../../api/body/json-body';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { exchange } from '../support/raw-http';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
let port: number;
let before: Record<string, number>;
beforeAll(() => {
  oncepay = sharedOncepay();
  port = oncepay.apis[0]?.port ?? 0;
});
beforeEach(async () => {
  before = await countRows(oncepay.sql);
});
afterEach(async () => {
  const alive = await oncepay.call('GET', '/healthz');
  expect(alive.status).toBe(200);
});

const bytes = (text: string, encoding: BufferEncoding = 'utf8') =>
  new Uint8Array(Buffer.from(text, encoding));
const valid = () => JSON.stringify(orderBody());

describe('bodies', () => {
  test.each<[string, () => string | Uint8Array<ArrayBuffer>]>([
    ['empty', () => ''],
    ['cut off', () => valid().slice(0, -5)],
    ['two values', () => `${valid()}${valid()}`],
    ['with a trailing comma', () => valid().replace(/}$/, ',}')],
    ['with a comment', () => `/* order */${valid()}`],
    ['in single quotes', () => valid().replaceAll('"', "'")],
    ['with NaN', () => valid().replace(':300', ':NaN')],
    ['with a raw line break in a text', () => valid().replace('T-shirt', 'T\nshirt')],
    ['latin-1', () => bytes(valid().replace('T-shirt', 'T-sh\u00efrt'), 'latin1')],
    ['overlong UTF-8', () => bytes('7b22c0ae223a317d', 'hex')],
    ['UTF-8 surrogates', () => bytes('7b2261223a22eda080227d', 'hex')],
    ['UTF-16', () => bytes(valid(), 'utf16le')],
    ['bytes', () => bytes('00ff00ff', 'hex')],
  ])('a body that is %s is refused as invalid JSON', async (_what, make) => {
    const rawBody = make();
    const headers = { 'content-type': 'application/json' };
    const reply = await oncepay.call('POST', '/v1/orders', { rawBody, headers });
    expectProblem(reply, 400, 'body');
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('a body with a byte order mark is accepted', async () => {
    const rawBody = `\ufeff${JSON.stringify({ name: 'Marked', kind: 'physical' })}`;
    const reply = await oncepay.call('PUT', '/v1/products/marked', { rawBody });
    expect([reply.status, reply.body]).toMatchObject([200, { name: 'Marked' }]);
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/xml',
    'application/json; charset=gbk',
    'application/json, text/plain',
    'garbage',
    ' ',
  ])('a body with the content type %p is refused', async (type) => {
    const headers = { 'content-type': type };
    const reply = await oncepay.call('POST', '/v1/orders', { body: orderBody(), headers });
    expectProblem(reply, 415, 'Content-Type');
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test.each(['application/json;charset=UTF-8', 'application/merge-patch+json', 'APPLICATION/JSON'])(
    'the content type %p is taken',
    async (type) => {
      const body = { name: 'Typed', kind: 'physical' };
      const headers = { 'content-type': type };
      const reply = await oncepay.call('PUT', '/v1/products/typed', { body, headers });
      expect(reply.status).toBe(200);
    },
  );

  test('a compressed body is refused', async () => {
    const reply = await oncepay.call('POST', '/v1/orders', {
      rawBody: new Uint8Array(gzipSync(valid())),
      headers: { 'content-encoding': 'gzip' },
    });
    expectProblem(reply, 415, 'Content-Encoding');
  });

  test('a body of exactly 256 KiB is read and one of a byte more is refused', async () => {
    const body = JSON.stringify({ name: 'Large', kind: 'physical' });
    const fits = await oncepay.call('PUT', '/v1/products/large', {
      rawBody: body.padEnd(MAX_BODY_BYTES),
    });
    expect(fits.status).toBe(200);
    before = await countRows(oncepay.sql);
    for (const size of [MAX_BODY_BYTES + 1, 20 * MAX_BODY_BYTES]) {
      const rawBody = body.padEnd(size);
      expectProblem(await oncepay.call('PUT', '/v1/products/large', { rawBody }), 413);
    }
    expect(await countRows(oncepay.sql)).toEqual(before);
  });
});

/** A raw request; `lines` are its headers beside the usual ones. */
function head(lines: readonly string[], first = 'POST /v1/orders HTTP/1.1'): string {
  const usual = [`host: 127.0.0.1:${port}`, `authorization: Bearer ${oncepay.keys.admin}`];
  return [first, ...usual, ...lines, '', ''].join('\r\n');
}
const JSON_TYPE = 'content-type: application/json';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

describe('requests written by hand', () => {
  test('a raw request without a content type is refused', async () => {
    const body = valid();
    const reply = await exchange(port, [head([`content-length: ${body.length}`]), body]);
    expectProblem(reply, 415, 'Content-Type');
  });

  test('a chunked body over the limit is refused before it has arrived', async () => {
    const start = head([JSON_TYPE, 'transfer-encoding: chunked']);
    const parts = Array.from({ length: 40 }, () => chunk(' '.repeat(8_192)));
    const reply = await exchange(port, [start, ...parts]);
    expectProblem(reply, 413);
  });

  test('a content length over the limit is refused before the body is read', async () => {
    const reply = await exchange(port, [head([JSON_TYPE, 'content-length: 10000000000']), '{']);
    expectProblem(reply, 413);
  });

  test('a body that ends before its content length stores nothing', async () => {
    const body = valid();
    const start = head([JSON_TYPE, `content-length: ${body.length + 10}`]);
    const reply = await exchange(port, [start, body], { halfClose: true });
    expect([null, 400]).toContain(reply.status);
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('a body is read up to its content length and what follows is refused', async () => {
    const body = JSON.stringify({ name: 'Short', kind: 'physical' });
    const start = head(
      [JSON_TYPE, `content-length: ${body.length}`],
      'PUT /v1/products/s HTTP/1.1',
    );
    const reply = await exchange(port, [start, `${body}{"more":1}`]);
    expect(reply.status).toBe(200);
    const cut = head([JSON_TYPE, `content-length: ${body.length - 4}`]);
    expectProblem(await exchange(port, [cut, body]), 400, 'body');
  });

  test.each<[string, number, () => (string | Uint8Array)[]]>([
    ['no HTTP at all', 400, () => ['\u0016\u0003\u0001 hello\r\n\r\n']],
    ['a request line of garbage', 400, () => ['GET\r\n\r\n']],
    ['an unknown method', 400, () => [head([], 'BREW /v1/orders HTTP/1.1')]],
    ['no host', 400, () => ['GET /v1/orders HTTP/1.1\r\n\r\n']],
    ['a header without a name', 400, () => [head([': x'])]],
    ['a NUL in a header', 400, () => [head(['x-y: a\0b'])]],
    ['a negative content length', 400, () => [head([JSON_TYPE, 'content-length: -1']), '{}']],
    ['a content length of words', 400, () => [head([JSON_TYPE, 'content-length: ten']), '{}']],
    ['two content lengths', 400, () => [head(['content-length: 2', 'content-length: 3']), '{}']],
    [
      'both a length and chunks',
      400,
      () => [head([JSON_TYPE, 'content-length: 2', 'transfer-encoding: chunked']), chunk('{}')],
    ],
    ['a chunk of garbage', 400, () => [head([JSON_TYPE, 'transfer-encoding: chunked']), 'zz\r\n']],
    ['headers too large', 431, () => [head([`x-large: ${'x'.repeat(20_000)}`])]],
    ['too long an address', 431, () => [head([], `GET /${'x'.repeat(20_000)} HTTP/1.1`)]],
  ])('a raw request with %s is refused with %i at once', async (_what, status, make) => {
    const reply = await exchange(port, make());
    expectProblem(reply, status);
    expect(await countRows(oncepay.sql)).toEqual(before);
  });

  test('a request with an unknown Expect header is refused', async () => {
    const reply = await exchange(port, [head(['expect: money', 'content-length: 0'])]);
    expectProblem(reply, 400, 'Expect');
  });

  test('a request whose headers never end is refused within the time limit', async () => {
    const reply = await exchange(port, ['POST /v1/orders HTTP/1.1\r\nhost: x\r\n'], {
      timeoutMs: 14_000,
    });
    expectProblem(reply, 408);
    expect(reply.ms).toBeGreaterThan(9_000);
  });

  test('clients that disconnect in the middle of a body break nothing', async () => {
    const body = valid();
    const paths = ['/v1/orders', '/v1/products/gone', '/callbacks/wechat'];
    await Promise.all(
      Array.from({ length: 30 }, (_, index) => {
        const path = paths[index % paths.length] ?? '';
        const method = path.includes('products') ? 'PUT' : 'POST';
        const lines = [JSON_TYPE, `content-length: ${body.length}`];
        const start = head(lines, `${method} ${path} HTTP/1.1`);
        return exchange(port, [start, body.slice(0, index)], { cut: true });
      }),
    );
    await until('the api counted the callbacks that were cut', async () => {
      const { body: metrics } = await oncepay.call('GET', '/metrics');
      return /oncepay_callbacks_total\{outcome="malformed"\} \d+/.test(
        JSON.stringify(metrics).replaceAll('\\"', '"'),
      )
        ? true
        : null;
    });
    expect(await countRows(oncepay.sql)).toEqual(before);
    expect(await oncepay.apis[0]?.output()).not.toContain('"level":"error"');
  });
});
