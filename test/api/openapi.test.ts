// The OpenAPI document agrees with the operations, their replies and the webhooks.
import { z } from 'zod';
import { WEBHOOK_EVENT_NAMES } from '../../domain/outbound/webhook-events';
import { ERRORS } from '../../domain/error-catalogue';
import { addDays, billDateAt } from '../../domain/reconciliation/bill-days';
import { REFUND_ORIGINS } from '../../domain/refunds/refund-state';
import { receiver, SHARING_ENV, untilSharing } from '../e2e/support/sharing';
import { orderBody, someUser, startTestOncepay, type TestOncepay } from '../support/oncepay';
import { until } from '../support/until';
import {
  openApi,
  operationAt,
  operationsOf,
  problemsWith,
  type OpenApi,
} from './support/openapi-document';

let oncepay: TestOncepay;
let document: OpenApi;
/** An order that is paid, shared and partly refunded. */
let no: string;
/** An order that was paid with another amount and has an open intervention. */
let odd: string;
const user = someUser();
beforeAll(async () => {
  oncepay = await startTestOncepay({ env: SHARING_ENV });
  oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
  document = openApi.parse((await oncepay.call('GET', '/openapi.json', { headers: {} })).body);
  await oncepay.call('PUT', '/v1/products/ticket', {
    body: { name: 'Ticket', kind: 'virtual', stock: 10 },
  });
  await oncepay.call('POST', '/v1/products/ticket/codes', { body: { codes: ['A-1', 'A-2'] } });
  no = await oncepay.newOrder({
    user_id: user,
    items: [{ sku: 'ticket', quantity: 1, unit_price: 300 }],
    profit_sharing: true,
    metadata: { nested: { list: [1, null, 'x'] } },
  });
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  odd = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: odd, totalFen: 1, force: true });
  await oncepay.untilOrder(odd, 'it has attention', ({ attention }) => attention !== null);
});
afterAll(() => oncepay.stop());

const operations = () => operationsOf(document);

test('a request without a key gets the document, which is OpenAPI 3.1', async () => {
  const reply = await fetch(`${oncepay.apiUrl}/openapi.json`);
  expect(openApi.safeParse(await reply.json()).error).toBeUndefined();
  const sent = Object.values(document.webhooks).map(({ post }) => post);
  const ids = [...operations(), ...sent].map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

test('every $ref of the document has a target and every path parameter is described', () => {
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

test('every documented operation exists and documents its refusals', async () => {
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

test('a full line gives each operation the documented 429, with its header', async () => {
  const many = () =>
    Promise.all(Array.from({ length: 200 }, () => fetch(`${oncepay.apiUrl}/v1/orders`)));
  const full = await until('a line is full', async () => {
    const replies = await many();
    const refused = replies.find(({ status }) => status === 429);
    await Promise.all(replies.filter((one) => one !== refused).map((one) => one.arrayBuffer()));
    return refused;
  });
  const body: unknown = await full.json();
  for (const { path, responses } of operations().filter(({ path }) => path.startsWith('/v1/'))) {
    const { headers = {}, content } = responses['429'] ?? {};
    expect([path, Object.keys(headers)]).toEqual([path, ['Retry-After']]);
    const schema = content?.['application/problem+json']?.schema;
    expect([path, problemsWith(document, schema, body)]).toEqual([path, undefined]);
  }
  expect(full.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(full.headers.get('content-type')).toMatch(/^application\/problem\+json/);
});

/** Operations whose replies were compared with their schemas. */
const compared = new Set<string>();

/** Sends a request and compares the reply with the document. */
async function expectReply(
  status: number,
  method: string,
  path: string,
  body?: unknown,
  by: { readonly as?: 'deputy' } = {},
): Promise<unknown> {
  const reply = await oncepay.call(method, path, {
    ...by,
    ...(body === undefined ? {} : { body }),
  });
  expect([path, reply.status, reply.body]).toEqual([path, status, expect.anything()]);
  expect(reply.headers.get('content-type')).toMatch(/^application\/json(;|$)/);
  const documented = operationAt(document, method, path);
  const good = documented?.responses[String(status)];
  const schema = good?.content?.['application/json']?.schema;
  expect(schema).toBeDefined();
  expect([path, problemsWith(document, schema, reply.body)]).toEqual([path, undefined]);
  compared.add(documented?.operationId ?? '');
  return reply.body;
}

/** The same for a reply that has no body. */
async function expectNoBody(method: string, path: string): Promise<void> {
  const reply = await oncepay.call(method, path);
  expect([path, reply.status, reply.body]).toEqual([path, 204, '']);
  const documented = operationAt(document, method, path);
  expect(documented?.responses['204']).toEqual({ description: expect.any(String) as string });
  compared.add(documented?.operationId ?? '');
}

test('replies for orders, products and points have exactly the documented fields', async () => {
  const fresh = orderBody();
  await expectReply(201, 'POST', '/v1/orders', fresh);
  const again = await expectReply(200, 'POST', '/v1/orders', fresh);
  const { out_trade_no: open } = z.object({ out_trade_no: z.string() }).parse(again);
  await expectReply(200, 'POST', `/v1/orders/${open}/payment`);
  await expectReply(200, 'GET', `/v1/orders/${open}`);
  await expectReply(200, 'POST', `/v1/orders/${open}/close`, {});
  await expectReply(200, 'GET', `/v1/orders/${open}`);
  await expectReply(200, 'GET', '/v1/orders');
  await expectReply(200, 'GET', '/v1/orders?attention=true');
  await expectReply(200, 'GET', '/v1/orders?limit=1');
  const product = { name: 'Hat', kind: 'physical', stock: null };
  await expectReply(200, 'PUT', '/v1/products/hat', product);
  await expectReply(200, 'GET', '/v1/products/ticket');
  const change = { delta: 1, reason: 'found' };
  await expectReply(200, 'POST', '/v1/products/ticket/stock', change);
  await expectReply(200, 'POST', '/v1/products/ticket/codes', { codes: ['B-1'] });
  await expectReply(200, 'POST', '/v1/products/ticket/codes/used', { codes: ['A-1'] });
  await expectReply(200, 'GET', `/v1/users/${user}/points`);
  // Oncepay refunds the late payment by itself and sends the shop a webhook.
  await oncepay.simulator.pay({ outTradeNo: open, force: true });
  await oncepay.untilStatus(open, 'refunded');
  await expectReply(200, 'GET', `/v1/orders/${open}`);
});

test('replies for refunds and profit sharings have exactly the documented fields', async () => {
  const refund = { out_refund_no: `r-${no}`, amount: 100, reason: 'Too small' };
  await expectReply(202, 'POST', `/v1/orders/${no}/refunds`, refund);
  await oncepay.untilOrder(no, 'the refund is back', ({ amount }) => amount.refunded === 100);
  await expectReply(200, 'POST', `/v1/orders/${no}/refunds`, refund);
  await expectReply(200, 'GET', `/v1/orders/${no}/refunds/r-${no}`);

  const { type, account } = receiver(1);
  await expectReply(202, 'POST', '/v1/receivers', { type, account });
  const by = { as: 'deputy' } as const;
  const known = await expectReply(201, 'POST', '/v1/receivers', { type, account }, by);
  await expectReply(200, 'POST', '/v1/receivers', { type, account });
  await expectReply(200, 'GET', '/v1/receivers');
  const share = { out_order_no: `s-${no}`, receivers: [receiver(40)] };
  await expectReply(202, 'POST', `/v1/orders/${no}/profit-sharing`, share);
  await untilSharing(oncepay, no, `s-${no}`, 'finished');
  await expectReply(200, 'POST', `/v1/orders/${no}/profit-sharing`, share);
  oncepay.simulator.setSharingOutcome({ result: 'CLOSED', failReason: 'ACCOUNT_ABNORMAL' });
  const refused = { out_order_no: `t-${no}`, receivers: [receiver(10)] };
  await expectReply(202, 'POST', `/v1/orders/${no}/profit-sharing`, refused);
  await untilSharing(oncepay, no, `t-${no}`, 'finished');
  const seen = await expectReply(200, 'GET', `/v1/orders/${no}/profit-sharing/t-${no}`);
  expect(seen).toMatchObject({ receivers: [{ line: 1, result: 'CLOSED' }] });
  await expectNoBody('DELETE', `/v1/receivers/${z.object({ id: z.string() }).parse(known).id}`);

  const order = await expectReply(200, 'GET', `/v1/orders/${no}`);
  expect(order).toMatchObject({
    refunds: [{ origin: 'api', status: 'succeeded' }],
    profit_sharings: [{ status: 'finished' }, { status: 'finished' }],
    attention: { reason: 'sharing_failed' },
  });
});

test('replies for interventions and resolutions have exactly the documented fields', async () => {
  const open = await expectReply(200, 'GET', '/v1/interventions?status=open');
  const { data } = z
    .object({ data: z.array(z.object({ id: z.string(), reason: z.string() })) })
    .parse(open);
  expect(data.map(({ reason }) => reason)).toEqual(['amount_mismatch', 'sharing_failed']);
  const dismissed = { action: 'dismiss', note: 'paid by transfer' };
  const many = { ...dismissed, reason: 'sharing_failed', dry_run: true };
  await expectReply(200, 'POST', '/v1/interventions/resolve', many);
  await expectReply(200, 'POST', `/v1/orders/${no}/resolution`, dismissed);
  const back = { action: 'refund', note: 'paid another amount' };
  await expectReply(200, 'POST', `/v1/interventions/${data[0]?.id}/resolution`, back);
  await oncepay.untilStatus(odd, 'closed');
  await expectReply(200, 'GET', '/v1/interventions?status=resolved');
});

/** The id of the proposal that a change of a setting becomes. */
async function proposedTo(name: string, value: string): Promise<string> {
  const reply = await expectReply(202, 'PUT', `/v1/settings/${name}`, { value });
  return z.object({ proposal: z.object({ id: z.string() }) }).parse(reply).proposal.id;
}

test('replies for settings, policies, patrol and log have the documented fields', async () => {
  await expectReply(200, 'GET', '/v1/settings');
  const setting = await expectReply(200, 'GET', '/v1/settings/late_payment');
  expect(setting).toMatchObject({ value: 'refund' });
  await expectReply(200, 'PUT', '/v1/settings/late_payment', { value: 'refund' });
  await expectReply(200, 'GET', '/v1/retry-policies');
  const policy = await expectReply(200, 'GET', '/v1/retry-policies/wechat.return');
  await expectReply(200, 'PUT', '/v1/retry-policies/wechat.return', policy);
  const two = { ...(policy as object), version: undefined, max_attempts: 7 };
  const path = '/v1/retry-policies/wechat.refund';
  await expectReply(202, 'PUT', path, { ...two, operation: 'wechat.refund' });
  const withdrawn = await proposedTo('late_payment', 'ask');
  const gone = await oncepay.call('DELETE', `/v1/proposals/${withdrawn}`);
  expect([gone.status, gone.body]).toEqual([204, '']);
  compared.add('withdrawProposal');
  const approved = await proposedTo('late_payment', 'ask');
  const by = { as: 'deputy' } as const;
  await expectReply(200, 'POST', `/v1/proposals/${approved}/approval`, { note: 'x' }, by);
  await expectReply(200, 'GET', '/v1/proposals');
  await expectReply(200, 'GET', '/v1/patrol/runs?limit=1');
  await expectReply(200, 'GET', '/v1/callback-deliveries?limit=1');
  await expectReply(200, 'GET', '/v1/statistics');
});

test('replies for reconciliations have the documented fields', async () => {
  const day = addDays(billDateAt(Date.now()), -2);
  await expectReply(202, 'POST', '/v1/reconciliations', { bill_date: day });
  await until('the day is reconciled', async () => {
    const view = await expectReply(200, 'GET', `/v1/reconciliations/${day}`);
    return (view as { status: string }).status === 'done' || null;
  });
  await expectReply(200, 'GET', '/v1/reconciliations');
  await expectReply(200, 'GET', `/v1/reconciliations/${day}/differences`);
});

test.each([
  ['CLOSED', 'closed'],
  ['ABNORMAL', 'abnormal'],
] as const)('an order whose refund is %s has the documented fields', async (result, status) => {
  const other = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: other });
  await oncepay.untilStatus(other, 'fulfilled');
  oncepay.simulator.setRefundOutcome({ status: result, outTradeNo: other, times: 1 });
  const refund = { out_refund_no: `r-${other}`, amount: 100 };
  await expectReply(202, 'POST', `/v1/orders/${other}/refunds`, refund);
  await oncepay.untilOrder(other, status, ({ refunds }) => refunds[0]?.status === status);
  await expectReply(200, 'GET', `/v1/orders/${other}/refunds/r-${other}`);
});

test('every documented operation was compared with its replies', () => {
  const ids = operations().map(({ operationId }) => operationId);
  expect([...compared, 'wechatCallback'].sort()).toEqual(ids.sort());
});

test('every webhook is documented and those sent have exactly the documented fields', async () => {
  expect(Object.keys(document.webhooks)).toEqual([...WEBHOOK_EVENT_NAMES]);
  const { received } = oncepay.webhooks;
  const types = () => [...new Set(received.map(({ type }) => type))].sort();
  const last = `${no}:profit_sharing.finished:t-${no}`;
  await until('each has been sent', () => {
    const all = types().length >= WEBHOOK_EVENT_NAMES.length;
    return Promise.resolve((all && received.some(({ id }) => id === last)) || null);
  });
  expect(types()).toEqual([...WEBHOOK_EVENT_NAMES].sort());
  const results = new Set<unknown>();
  for (const { id, ...payload } of received) {
    const { post } = document.webhooks[payload.type] ?? {};
    const schema = post?.requestBody?.content['application/json']?.schema;
    expect(schema).toBeDefined();
    expect([id, problemsWith(document, schema, payload)]).toEqual([id, undefined]);
    for (const { result } of payload.data.receivers ?? []) results.add(result);
  }
  expect([...results].sort()).toEqual(['CLOSED', 'SUCCESS']);
});

test('a documented webhook has the headers of Standard Webhooks and needs no API key', () => {
  for (const { post } of Object.values(document.webhooks)) {
    const required = post.parameters?.filter(({ required: must }) => must === true);
    expect(required?.map(({ name, in: place }) => [place, name])).toEqual([
      ['header', 'webhook-id'],
      ['header', 'webhook-timestamp'],
      ['header', 'webhook-signature'],
    ]);
    expect(post.security).toEqual([]);
  }
});

test('the comparison finds an undocumented field and a field of another type', () => {
  const [schema] = Object.values(operationAt(document, 'GET', '/v1/settings/x')?.responses ?? {})
    .map((response) => response.content?.['application/json']?.schema)
    .filter((found) => found !== undefined);
  const setting = {
    name: 'late_payment',
    value: 'ask',
    source: 'override',
    version: 1,
    updated_by: null,
    updated_at: null,
  };
  expect(problemsWith(document, schema, setting)).toBeUndefined();
  expect(problemsWith(document, schema, { ...setting, more: 1 })).toBeDefined();
  expect(problemsWith(document, schema, { ...setting, version: '1' })).toBeDefined();
});

test('the documented origins of a refund are those of the domain', () => {
  const { content } = operationAt(document, 'GET', '/v1/orders/x/refunds/y')?.responses[200] ?? {};
  expect(content?.['application/json']?.schema).toMatchObject({
    properties: { origin: { enum: REFUND_ORIGINS } },
  });
});

test('a paid order shows its metadata, codes, notices, transactions and effects', async () => {
  const order = await oncepay.order(no);
  expect(order).toMatchObject({
    status: 'fulfilled',
    metadata: { nested: { list: [1, null, 'x'] } },
    codes: [{ sku: 'ticket', code: 'A-1' }],
    notices: expect.arrayContaining([
      expect.objectContaining({ kind: 'payment', verdict: 'applied' }),
    ]) as unknown,
    transactions: [{ transaction_id: order.transaction_id, status: 'applied' }],
  });
  expect(order.effects.map(({ effect }) => effect)).toEqual(
    expect.arrayContaining(['points', 'sales', 'stock', 'delivery']),
  );
});

test('a viewer sees no metadata, and of a user id two characters, also in lists', async () => {
  const paths = [`/v1/orders/${no}`, `/v1/orders?user_id=${user}`];
  for (const path of paths) {
    const { body } = await oncepay.call('GET', path, { as: 'viewer' });
    expect(JSON.stringify(body)).not.toContain(user);
    expect(JSON.stringify(body)).toContain(`"user_id":"${user.slice(0, 2)}***"`);
    const whole = await oncepay.call('GET', path, { as: 'operator' });
    expect(JSON.stringify(whole.body)).toContain(`"user_id":"${user}"`);
  }
  const { body } = await oncepay.call('GET', `/v1/orders/${no}`, { as: 'viewer' });
  expect(body).toMatchObject({ metadata: null });
});

test.each([
  ['merchant', true],
  ['admin', true],
  ['operator', false],
  ['viewer', false],
] as const)('an order read by the role %s shows its codes: %p', async (as, sees) => {
  const { body } = await oncepay.call('GET', `/v1/orders/${no}`, { as });
  expect(Object.hasOwn(body as object, 'codes')).toBe(sees);
  expect(JSON.stringify(body).includes('A-1')).toBe(sees);
});
