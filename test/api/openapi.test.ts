import { z } from 'zod';
import { interventionListReply } from '../../api/intervention-replies';
import {
  callbackDeliveryListReply,
  orderListReply,
  orderReply,
  paymentReply,
  pointsReply,
  productReply,
} from '../../api/replies';
import { ERRORS } from '../../domain/error-catalogue';
import { orderBody, someUser, startTestOncepay, type TestOncepay } from '../support/oncepay';

let oncepay: TestOncepay;
let document: z.output<typeof openApi>;
let no: string;
const user = someUser();
beforeAll(async () => {
  oncepay = await startTestOncepay();
  document = openApi.parse((await oncepay.call('GET', '/openapi.json', { headers: {} })).body);
  await oncepay.call('PUT', '/v1/products/ticket', {
    body: { name: 'Ticket', kind: 'virtual', stock: 10 },
  });
  await oncepay.call('POST', '/v1/products/ticket/codes', { body: { codes: ['A-1', 'A-2'] } });
  no = await oncepay.newOrder({
    user_id: user,
    items: [{ sku: 'ticket', quantity: 1, unit_price: 300 }],
    metadata: { nested: { list: [1, null, 'x'] } },
  });
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const odd = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: odd, totalFen: 1, force: true });
  await oncepay.untilOrder(odd, 'it has attention', ({ attention }) => attention !== null);
});
afterAll(() => oncepay.stop());

const schema = z.record(z.string(), z.unknown());
const content = z.record(z.string(), z.strictObject({ schema }));
const operation = z.strictObject({
  operationId: z.string().regex(/^\w+$/),
  summary: z.string().min(1),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z
    .array(
      z.strictObject({
        name: z.string(),
        in: z.enum(['path', 'query', 'header']),
        required: z.boolean().optional(),
        description: z.string().optional(),
        schema,
      }),
    )
    .optional(),
  requestBody: z.strictObject({ required: z.boolean(), content }).optional(),
  responses: z
    .record(
      z.string().regex(/^[1-5]\d\d$/),
      z.strictObject({ description: z.string().min(1), content: content.optional() }),
    )
    .refine((responses) => Object.keys(responses).length > 0),
});
/** What OpenAPI 3.1 asks of the parts that we use. */
const openApi = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d$/),
  info: z.strictObject({ title: z.string(), version: z.string(), description: z.string() }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'put', 'post']), operation),
  ),
  components: z.strictObject({
    securitySchemes: z.record(z.string(), z.strictObject({ type: z.string(), scheme: z.string() })),
    schemas: z.record(z.string(), schema),
  }),
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, entry]) => ({ path, method, ...entry })),
  );

test('the document is OpenAPI 3.1 and anybody may read it', async () => {
  const answer = await fetch(`${oncepay.apiUrl}/openapi.json`);
  expect(openApi.safeParse(await answer.json()).error).toBeUndefined();
  const ids = operations().map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

test('every $ref leads somewhere, every path parameter is described', () => {
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref);
  expect(refs.length).toBeGreaterThan(0);
  for (const ref of new Set(refs)) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(ref ?? '')?.[1];
    expect(Object.keys(document.components.schemas)).toContain(name);
  }
  for (const { path, parameters = [] } of operations()) {
    const named = parameters.filter(({ in: place }) => place === 'path').map(({ name }) => name);
    expect(named).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  }
});

test('every operation exists, and says what refuses a caller', async () => {
  for (const { path, method, responses } of operations()) {
    const real = path.replace('{no}', no).replace(/\{\w+\}/g, 'x');
    const { status } = await oncepay.call(method.toUpperCase(), real, {
      headers: { authorization: '' },
    });
    expect([path, method, status]).toEqual([path, method, 401]);
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['400', '401', '503']));
  }
});

test('the problem schema names every code of the catalogue', () => {
  const { Problem } = document.components.schemas;
  const { properties } = z
    .object({ properties: z.object({ code: z.object({ enum: z.array(z.string()) }) }) })
    .parse(Problem);
  expect(properties.code.enum.sort()).toEqual(Object.keys(ERRORS).sort());
});

/** The same schema, with no field beside those that it names. */
function strict(reply: z.ZodType): z.ZodType {
  if (reply instanceof z.ZodObject) {
    const parts: Record<string, z.ZodType> = reply.shape;
    const shape = Object.entries(parts);
    return z.strictObject(Object.fromEntries(shape.map(([name, part]) => [name, strict(part)])));
  }
  if (reply instanceof z.ZodArray) return z.array(strict(reply.element as z.ZodType));
  if (reply instanceof z.ZodNullable) return strict(reply.unwrap() as z.ZodType).nullable();
  if (reply instanceof z.ZodOptional) return strict(reply.unwrap() as z.ZodType).optional();
  return reply;
}

async function expectReply(
  reply: z.ZodType,
  status: number,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const answer = await oncepay.call(method, path, body === undefined ? {} : { body });
  const shape = path.replace(/\?.*$/, '').replace(/\/(2\d{7}\w{14})/, '/{no}');
  const documented = operations().find(
    (entry) =>
      entry.method === method.toLowerCase() &&
      new RegExp(
        `^${entry.path.replace('{no}', '\\{no\\}').replace(/\{(?!no)\w+\}/, '[^/]+')}$`,
      ).test(shape),
  );
  expect([answer.status, answer.body]).toEqual([status, expect.anything()]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json(;|$)/);
  expect(strict(reply).safeParse(answer.body).error).toBeUndefined();
  expect(Object.keys(documented?.responses ?? {})).toContain(String(status));
  return answer.body;
}

test('every route answers what its schema says, to the field', async () => {
  const fresh = orderBody();
  await expectReply(paymentReply, 201, 'POST', '/v1/orders', fresh);
  const again = await expectReply(paymentReply, 200, 'POST', '/v1/orders', fresh);
  const { out_trade_no: open } = paymentReply.parse(again);
  await expectReply(paymentReply, 200, 'POST', `/v1/orders/${open}/payment`);
  await expectReply(orderReply, 200, 'GET', `/v1/orders/${open}`);
  await expectReply(paymentReply, 200, 'POST', `/v1/orders/${open}/close`, {});
  await expectReply(orderReply, 200, 'GET', `/v1/orders/${open}`);
  await expectReply(orderReply, 200, 'GET', `/v1/orders/${no}`);
  await expectReply(orderListReply, 200, 'GET', '/v1/orders');
  await expectReply(orderListReply, 200, 'GET', '/v1/orders?attention=true');
  await expectReply(orderListReply, 200, 'GET', '/v1/orders?limit=1');
  const product = { name: 'Hat', kind: 'physical', stock: null };
  await expectReply(productReply, 200, 'PUT', '/v1/products/hat', product);
  await expectReply(productReply, 200, 'GET', '/v1/products/ticket');
  const change = { delta: 1, reason: 'found' };
  await expectReply(productReply, 200, 'POST', '/v1/products/ticket/stock', change);
  await expectReply(productReply, 200, 'POST', '/v1/products/ticket/codes', { codes: ['B-1'] });
  await expectReply(pointsReply, 200, 'GET', `/v1/users/${user}/points`);
  await expectReply(callbackDeliveryListReply, 200, 'GET', '/v1/callback-deliveries?limit=1');
  const open_ = await expectReply(
    interventionListReply,
    200,
    'GET',
    '/v1/interventions?status=open',
  );
  expect(interventionListReply.parse(open_).data).toHaveLength(1);
});

test('what the paid order hangs together with is all there', async () => {
  const order = orderReply.parse((await oncepay.call('GET', `/v1/orders/${no}`)).body);
  expect(order).toMatchObject({
    status: 'fulfilled',
    metadata: { nested: { list: [1, null, 'x'] } },
    codes: [{ sku: 'ticket', code: 'A-1' }],
    notices: [{ kind: 'payment', verdict: 'applied' }],
    transactions: [{ transaction_id: order.transaction_id, status: 'applied' }],
  });
  expect(order.effects.map(({ effect }) => effect)).toEqual(
    expect.arrayContaining(['points', 'sales', 'stock', 'delivery']),
  );
});

test.each([
  ['merchant', true],
  ['admin', true],
  ['operator', false],
  ['viewer', false],
] as const)('a %s sees the codes of an order: %p', async (as, sees) => {
  const { body } = await oncepay.call('GET', `/v1/orders/${no}`, { as });
  expect(Object.hasOwn(body as object, 'codes')).toBe(sees);
  expect(JSON.stringify(body).includes('A-1')).toBe(sees);
});
