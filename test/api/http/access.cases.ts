// Roles, keys, paths and query parameters of every operation.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import type { RoleName } from '../../../stack/oncepay';
import { countRows, expectProblem } from '../support/refusals';

const NO = '20260101041A2B3C4D5E';

let oncepay: TestOncepay;
let before: Record<string, number>;
beforeAll(() => {
  oncepay = sharedOncepay();
});
beforeEach(async () => {
  before = await countRows(oncepay.sql);
});
afterEach(async () => {
  expect(await countRows(oncepay.sql)).toEqual(before);
});

/** Every operation, its roles, and the status that an allowed role gets for an unknown number. */
const OPERATIONS: [string, string, RoleName[], number][] = [
  ['POST', '/v1/orders', ['merchant', 'admin'], 400],
  ['GET', '/v1/orders', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', `/v1/orders/${NO}`, ['merchant', 'operator', 'admin', 'viewer'], 400],
  ['POST', `/v1/orders/${NO}/payment`, ['merchant', 'admin'], 400],
  ['POST', `/v1/orders/${NO}/close`, ['merchant', 'operator', 'admin'], 400],
  ['PUT', '/v1/products/nothing', ['merchant', 'admin'], 400],
  ['GET', '/v1/products/nothing', ['merchant', 'operator', 'admin', 'viewer'], 404],
  ['POST', '/v1/products/nothing/stock', ['merchant', 'admin'], 400],
  ['POST', '/v1/products/nothing/codes', ['merchant', 'admin'], 400],
  ['POST', '/v1/products/nothing/codes/used', ['merchant', 'admin'], 400],
  ['GET', '/v1/users/nobody/points', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', '/v1/interventions', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['POST', '/v1/interventions/resolve', ['operator', 'admin'], 400],
  ['POST', '/v1/interventions/nothing/resolution', ['operator', 'admin'], 400],
  ['POST', `/v1/orders/${NO}/resolution`, ['operator', 'admin'], 400],
  ['POST', `/v1/orders/${NO}/refunds`, ['merchant', 'operator', 'admin'], 400],
  ['GET', `/v1/orders/${NO}/refunds/nothing`, ['merchant', 'operator', 'admin', 'viewer'], 400],
  ['POST', `/v1/orders/${NO}/profit-sharing`, ['merchant', 'admin'], 400],
  [
    'GET',
    `/v1/orders/${NO}/profit-sharing/nothing`,
    ['merchant', 'operator', 'admin', 'viewer'],
    400,
  ],
  ['POST', '/v1/receivers', ['admin'], 400],
  ['GET', '/v1/receivers', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['DELETE', '/v1/receivers/nothing', ['admin'], 400],
  ['POST', '/v1/reconciliations', ['operator', 'admin'], 400],
  ['GET', '/v1/reconciliations', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', '/v1/reconciliations/nothing', ['merchant', 'operator', 'admin', 'viewer'], 400],
  [
    'GET',
    '/v1/reconciliations/nothing/differences',
    ['merchant', 'operator', 'admin', 'viewer'],
    400,
  ],
  ['GET', '/v1/patrol/runs', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', '/v1/statistics', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', '/v1/retry-policies', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', '/v1/retry-policies/wechat.prepay', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['PUT', '/v1/retry-policies/wechat.prepay', ['admin'], 400],
  ['GET', '/v1/settings', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['GET', '/v1/settings/late_payment', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['PUT', '/v1/settings/late_payment', ['admin'], 400],
  ['GET', '/v1/proposals', ['merchant', 'operator', 'admin', 'viewer'], 200],
  ['POST', '/v1/proposals/nothing/approval', ['operator', 'admin'], 400],
  ['DELETE', '/v1/proposals/nothing', ['operator', 'admin'], 400],
  ['GET', '/v1/callback-deliveries', ['merchant', 'operator', 'admin', 'viewer'], 200],
];
const ROLES: RoleName[] = ['merchant', 'operator', 'admin', 'viewer'];

test.each(OPERATIONS)('%s %s accepts only the roles %p', async (method, path, allowed, status) => {
  for (const as of ROLES) {
    const body = method === 'GET' || method === 'DELETE' ? {} : { body: { unknown: true } };
    const reply = await oncepay.call(method, path, { as, ...body });
    if (!allowed.includes(as)) expectProblem(reply, 403);
    else if (status === 200) expect(reply.status).toBe(200);
    else expectProblem(reply, status);
  }
});

test.each(OPERATIONS)('%s %s: no parameter of the path is an error of ours', async (...row) => {
  const [method, path] = row;
  const parameters = ['nothing', 'nobody', 'wechat.prepay', 'late_payment', NO];
  const body = method === 'GET' ? {} : { body: {} };
  for (const one of parameters.filter((name) => path.includes(`/${name}`))) {
    for (const odd of ['%00', 'a%00b', '%F0%9F%98%80', '%ED%A0%80', 'x'.repeat(2_000), '%2e%2e']) {
      // The order's number has to be right, so that the one behind it is read.
      const sent = path.replace(`/${one}`, `/${odd}`).replace(NO, CHECKED);
      const { status } = await oncepay.call(method, sent, body);
      expect([sent, status < 500]).toEqual([sent, true]);
    }
  }
});

test('every documented operation is in the table of roles', async () => {
  const { body } = await oncepay.call('GET', '/openapi.json');
  const { paths } = body as { paths: Record<string, Record<string, object>> };
  const documented = Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, methods]) => Object.keys(methods).map((m) => `${m.toUpperCase()} ${path}`));
  const shapes = OPERATIONS.map(([method, path]) =>
    `${method} ${path}`
      .replace(NO, '{no}')
      .replace('/refunds/nothing', '/refunds/{refund_no}')
      .replace('/profit-sharing/nothing', '/profit-sharing/{out_order_no}')
      .replace('/interventions/nothing', '/interventions/{id}')
      .replace('/receivers/nothing', '/receivers/{id}')
      .replace('/proposals/nothing', '/proposals/{id}')
      .replace('/reconciliations/nothing', '/reconciliations/{bill_date}')
      .replace('/nothing', '/{sku}')
      .replace('/nobody', '/{user_id}')
      .replace('/wechat.prepay', '/{operation}')
      .replace('/late_payment', '/{name}'),
  );
  expect(documented.sort()).toEqual(shapes.sort());
});

test.each<[string, string | null]>([
  ['no key', null],
  ['an empty one', ''],
  ['Bearer alone', 'Bearer'],
  ['Bearer and a space', 'Bearer '],
  ['Basic', 'Basic YWRtaW46YWRtaW4='],
  ['an unknown key', 'Bearer nobody-has-this'],
  ['another scheme', 'Token nobody-has-this'],
  ['two keys', 'Bearer one two'],
  ['a key of 10 KB', `Bearer ${'k'.repeat(10_000)}`],
  ['a key that is not ASCII', 'Bearer schl\u00fcssel'],
  ['undefined', 'undefined'],
])('a request with %s is refused with 401 on every operation', async (_what, authorization) => {
  for (const [method, path] of OPERATIONS) {
    const reply = await fetch(`${oncepay.apiUrl}${path}`, {
      method,
      headers: authorization === null ? {} : { authorization },
    });
    const text = await reply.text();
    expectProblem({ status: reply.status, headers: reply.headers, body: JSON.parse(text) }, 401);
    expect(reply.headers.get('www-authenticate')).toBe('Bearer');
    expect(text).not.toContain('nobody-has-this');
  }
});

test('a scheme in another case is accepted and a key in another case refused', async () => {
  const ask = (authorization: string) =>
    oncepay.call('GET', '/v1/orders', { headers: { authorization } });
  const key = oncepay.keys.viewer;
  expect((await ask(`bearer ${key}`)).status).toBe(200);
  expect((await ask(`Bearer ${key.slice(0, -1)}`)).status).toBe(401);
  expect((await ask(`Bearer ${key}x`)).status).toBe(401);
});

/** `20260101 04 1A2B 3C4D5E`: its check digits are 98 − (… mod 97). */
const CHECKED = `${NO}${checkDigitsOf(NO)}`;
function checkDigitsOf(body: string): string {
  const digits = Array.from(`${body}00`, (c) => String(Number.parseInt(c, 36))).join('');
  return String(98n - (BigInt(digits) % 97n)).padStart(2, '0');
}
const WRONG = `${NO}${String((Number(checkDigitsOf(NO)) % 97) + 1).padStart(2, '0')}`;

describe.each([
  ['GET', ''],
  ['POST', '/payment'],
  ['POST', '/close'],
])('%s /v1/orders/{no}%s', (method, rest) => {
  test('a request for a well-formed but unknown order number is refused with 404', async () => {
    expectProblem(await oncepay.call(method, `/v1/orders/${CHECKED}${rest}`), 404);
  });

  test.each([
    ['wrong check digits', WRONG],
    ['lower case', CHECKED.toLowerCase()],
    ['no check digits', NO],
    ['a digit more', `${CHECKED}0`],
    ['a word', 'undefined'],
    [
      'a day that does not exist',
      `20260231${NO.slice(8)}${checkDigitsOf(`20260231${NO.slice(8)}`)}`,
    ],
    [
      'an unknown channel',
      `2026010199${NO.slice(10)}${checkDigitsOf(`2026010199${NO.slice(10)}`)}`,
    ],
    ['full-width digits', encodeURIComponent(CHECKED.replace('2', '２'))],
    ['a space after it', `${CHECKED}%20`],
    ['a line break after it', `${CHECKED}%0a`],
    ['a NUL', `${CHECKED}%00`],
    ['a slash', `${CHECKED}%2f`],
    ['quotes', "1'%20OR%20'1'='1"],
    ['very long', '1'.repeat(4_000)],
  ])('a request for an order number with %s is refused with 400', async (_what, no) => {
    expectProblem(await oncepay.call(method, `/v1/orders/${no}${rest}`), 400, 'no');
  });

  test.each(['%ff', '%', '%zz', '%c0%ae', '%ed%a0%80'])(
    'a request with %s in the path is refused with 400',
    async (text) => {
      expectProblem(await oncepay.call(method, `/v1/orders/${text}${rest}`), 400);
    },
  );
});

test.each([
  ['/v1/products/%00', 'sku'],
  ['/v1/products/%0a', 'sku'],
  [`/v1/products/${'x'.repeat(65)}`, 'sku'],
  ['/v1/users/%00/points', 'user_id'],
  ['/v1/users/%7f/points', 'user_id'],
  [`/v1/users/${'x'.repeat(65)}/points`, 'user_id'],
])('GET %s is refused with 400 at %s', async (path, field) => {
  expectProblem(await oncepay.call('GET', path), 400, field);
});

test('a product whose sku has an encoded slash can be put and read', async () => {
  for (const sku of ['a%2fb', '%E8%A1%A3', '..%2f..%2fetc', 'a%20b', '__proto__', '%25']) {
    expectProblem(await oncepay.call('GET', `/v1/products/${sku}`), 404);
  }
});

test('a request for the points of an unknown user shows a balance of 0', async () => {
  const reply = await oncepay.call('GET', '/v1/users/__proto__/points');
  expect([reply.status, reply.body]).toEqual([200, { balance: 0, entries: [], next_cursor: null }]);
});

test.each([
  '/',
  '/v1',
  '/v1/',
  '/v2/orders',
  '/v1/nothing',
  '/v1/orders/a/b/c',
  '/.env',
  '/%2e%2e',
  '/METRICS',
  '/metrics/',
  '//metrics',
  '/Healthz',
  '/readyz/',
  '/OpenAPI.json',
  '/V1/orders',
  '/v1/Orders',
  '/v1/orders/',
  '/v1//orders',
  '//v1/orders',
  '/callbacks/wechat/',
  '/Callbacks/wechat',
  '//callbacks/wechat',
  '/%6Detrics',
])('a request for the unknown path %s is refused with 404', async (path) => {
  for (const method of ['GET', 'POST', 'DELETE']) {
    expectProblem(await oncepay.call(method, path), 404);
  }
});

test.each([
  ['/v1/orders', 'POST, GET, HEAD'],
  [`/v1/orders/${CHECKED}`, 'GET, HEAD'],
  [`/v1/orders/${CHECKED}/payment`, 'POST'],
  [`/v1/orders/${CHECKED}/close`, 'POST'],
  ['/v1/products/shirt', 'PUT, GET, HEAD'],
  ['/v1/products/shirt/stock', 'POST'],
  ['/v1/products/shirt/codes', 'POST'],
  ['/v1/users/nobody/points', 'GET, HEAD'],
  ['/v1/interventions', 'GET, HEAD'],
  ['/v1/receivers', 'POST, GET, HEAD'],
  ['/v1/receivers/nothing', 'DELETE'],
  ['/healthz', 'GET, HEAD'],
  ['/readyz', 'GET, HEAD'],
  ['/metrics', 'GET, HEAD'],
  ['/openapi.json', 'GET, HEAD'],
])('a request to %s with another method is refused with 405 and Allow: %s', async (path, allow) => {
  const offered = allow.split(', ');
  const methods = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS'];
  for (const method of methods.filter((name) => !offered.includes(name))) {
    const reply = await oncepay.call(method, path);
    expectProblem(reply, 405);
    expect(reply.headers.get('allow')).toBe(allow);
  }
});

test('a HEAD request gets the reply of GET without its body', async () => {
  for (const path of ['/v1/orders', '/healthz', '/metrics', '/openapi.json']) {
    const [head, get] = [await oncepay.call('HEAD', path), await oncepay.call('GET', path)];
    expect([head.status, head.body]).toEqual([200, '']);
    expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
  }
  expect((await oncepay.call('HEAD', `/v1/orders/${WRONG}`)).status).toBe(400);
});

const cursor = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const ANY_UUID = '01890a5d-ac96-774b-bcce-b302099a8057';

test.each([
  ['/v1/orders?status=lost', 'status'],
  ['/v1/orders?status=', 'status'],
  ['/v1/orders?status=paid&status=closed', 'status'],
  ['/v1/orders?status[]=paid', 'status[]'],
  ['/v1/orders?attention=maybe', 'attention'],
  ['/v1/orders?attention=constructor', 'attention'],
  ['/v1/orders?attention=', 'attention'],
  ['/v1/orders?user_id=', 'user_id'],
  ['/v1/orders?user_id=%00', 'user_id'],
  [`/v1/orders?user_id=${'x'.repeat(65)}`, 'user_id'],
  ['/v1/orders?created_after=yesterday', 'created_after'],
  ['/v1/orders?created_after=2026-01-01', 'created_after'],
  ['/v1/orders?created_after=2026-02-30T00:00:00Z', 'created_after'],
  ['/v1/orders?created_after=2026-01-01T00:00:00', 'created_after'],
  ['/v1/orders?created_after=1767225600', 'created_after'],
  ['/v1/orders?created_after=', 'created_after'],
  ['/v1/orders?created_after=2026-01-01T24:00:00Z', 'created_after'],
  ['/v1/orders?created_after=%2B012026-01-01T00:00:00Z', 'created_after'],
  ['/v1/orders?limit=0', 'limit'],
  ['/v1/orders?limit=201', 'limit'],
  ['/v1/orders?limit=-1', 'limit'],
  ['/v1/orders?limit=1.5', 'limit'],
  ['/v1/orders?limit=1e2', 'limit'],
  ['/v1/orders?limit=abc', 'limit'],
  ['/v1/orders?limit=', 'limit'],
  ['/v1/orders?limit=10&limit=20', 'limit'],
  ['/v1/orders?cursor=', 'cursor'],
  ['/v1/orders?cursor=garbage', 'cursor'],
  [`/v1/orders?cursor=${'x'.repeat(257)}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([1, 2])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor(['now', CHECKED])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([1e15 + 0.5, CHECKED])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([1e16, CHECKED])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([-8.64e15, CHECKED])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([8.64e15, CHECKED])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([0, "'; DROP TABLE orders"])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([0, CHECKED, 1])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([0, ANY_UUID])}`, 'cursor'],
  [`/v1/orders?cursor=${cursor([0, CHECKED])}=`, 'cursor'],
  [`/v1/orders?cursor=${cursor([0, CHECKED]).slice(0, -3)}`, 'cursor'],
  [`/v1/interventions?cursor=${cursor([0, CHECKED])}`, 'cursor'],
  [`/v1/interventions?cursor=${cursor([-8.64e15, ANY_UUID])}`, 'cursor'],
  [`/v1/interventions?cursor=${cursor([0, ANY_UUID.toUpperCase()])}`, 'cursor'],
  ['/v1/interventions?status=closed', 'status'],
  ['/v1/interventions?limit=999', 'limit'],
  ['/v1/interventions?colour=red', 'colour'],
  ['/v1/orders?colour=red', 'colour'],
  ['/v1/orders?__proto__=1', '__proto__'],
  ['/v1/orders?constructor=1', 'constructor'],
  ['/v1/orders?STATUS=paid', 'STATUS'],
])('GET %s is refused with 400 at %s', async (path, field) => {
  expectProblem(await oncepay.call('GET', path), 400, field);
});

test.each([
  '/v1/orders?created_after=0000-01-01T00:00:00Z',
  '/v1/orders?created_after=0001-01-01T00:00:00%2B14:00',
  '/v1/orders?created_after=9999-12-31T23:59:59-14:00',
  '/v1/orders?created_after=9999-12-31T23:59:59.999999999Z',
  '/v1/orders?created_after=2026-01-01T00:00:00%2B08:00',
  '/v1/orders?user_id=%ff%fe',
  '/v1/orders?user_id=%F0%9F%98%80',
  '/v1/orders?attention=true&status=paid&limit=200',
  '/v1/orders?attention=false&limit=1',
  '/v1/orders?attention=amount_mismatch',
  '/v1/orders?',
  `/v1/orders?cursor=${cursor([0, CHECKED])}`,
  `/v1/interventions?cursor=${cursor([0, ANY_UUID])}&status=open`,
])('GET %s with odd parameters finds nothing or is refused, and breaks nothing', async (path) => {
  const reply = await oncepay.call('GET', path);
  if (reply.status === 200) expect(reply.body).toEqual({ data: [], next_cursor: null });
  else expectProblem(reply, 400, 'created_after');
});
