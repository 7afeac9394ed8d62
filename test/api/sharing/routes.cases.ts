// Requests for profit sharing that are refused.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
/** An unpaid order with profit sharing: a refused request stores nothing. */
let no: string;
let before: Record<string, number>;
beforeAll(async () => {
  oncepay = sharedOncepay();
  no = await oncepay.newOrder({ profit_sharing: true });
});
beforeEach(async () => {
  before = await countRows(oncepay.sql);
});
afterEach(async () => {
  expect(await countRows(oncepay.sql)).toEqual(before);
});

const RECEIVER = { type: 'MERCHANT_ID', account: '1900000109', amount: 10, description: 'x' };
const BODY = { out_order_no: 's-1', receivers: [RECEIVER] };

const share = (body: unknown, headers: Record<string, string> = {}, order = no) =>
  oncepay.call('POST', `/v1/orders/${order}/profit-sharing`, { as: 'merchant', body, headers });
const withReceiver = (change: object) => ({ ...BODY, receivers: [{ ...RECEIVER, ...change }] });
const many = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ ...RECEIVER, account: `19${n}` }));

const field = 'receivers[0]';
test.each<[string, string, unknown]>([
  ['no receivers', 'receivers', { out_order_no: 's-1' }],
  ['empty receivers', 'receivers', { ...BODY, receivers: [] }],
  [
    'empty receivers and unfreeze_rest false',
    'receivers',
    { ...BODY, receivers: [], unfreeze_rest: false },
  ],
  ['51 receivers', 'receivers', { ...BODY, receivers: many(51) }],
  [
    'a receiver twice',
    'receivers[1].account',
    { ...BODY, receivers: [RECEIVER, { ...RECEIVER, amount: 5 }] },
  ],
  ['receivers as an object', 'receivers', { ...BODY, receivers: RECEIVER }],
  ['an unknown field', 'extra', { ...BODY, extra: 1 }],
  ['an unknown field of a receiver', `${field}.extra`, withReceiver({ extra: 1 })],
  ['an unknown type', `${field}.type`, withReceiver({ type: 'PERSONAL_SUB_OPENID' })],
  ['no type', `${field}.type`, withReceiver({ type: undefined })],
  ['a merchant id with letters', `${field}.account`, withReceiver({ account: '19abc' })],
  ['an empty account', `${field}.account`, withReceiver({ account: '' })],
  ['an account with a space', `${field}.account`, withReceiver({ account: '19 1' })],
  [
    'an account of 65 characters',
    `${field}.account`,
    withReceiver({ type: 'PERSONAL_OPENID', account: 'o'.repeat(65) }),
  ],
  ['an amount of 0', `${field}.amount`, withReceiver({ amount: 0 })],
  ['a negative amount', `${field}.amount`, withReceiver({ amount: -1 })],
  ['an amount with decimals', `${field}.amount`, withReceiver({ amount: 1.5 })],
  ['an amount as text', `${field}.amount`, withReceiver({ amount: '10' })],
  ['an amount beyond 32 bits', `${field}.amount`, withReceiver({ amount: 2_147_483_648 })],
  ['no description', `${field}.description`, withReceiver({ description: undefined })],
  [
    'a description of 81 characters',
    `${field}.description`,
    withReceiver({ description: '分'.repeat(81) }),
  ],
  [
    'a description with a line break',
    `${field}.description`,
    withReceiver({ description: 'a\nb' }),
  ],
  ['a name of 216 bytes', `${field}.name`, withReceiver({ name: '张'.repeat(72) })],
  ['an empty name', `${field}.name`, withReceiver({ name: '' })],
  ['an unknown relation', `${field}.relation_type`, withReceiver({ relation_type: 'FRIEND' })],
  ['unfreeze_rest as text', 'unfreeze_rest', { ...BODY, unfreeze_rest: 'true' }],
  ['a number with a slash', 'out_order_no', { ...BODY, out_order_no: 's/1' }],
  ['a number of 65 characters', 'out_order_no', { ...BODY, out_order_no: 's'.repeat(65) }],
  ['an empty number', 'out_order_no', { ...BODY, out_order_no: '' }],
  ['a number that is kept for ours', 'out_order_no', { ...BODY, out_order_no: 'op_1' }],
  ['neither number nor key', 'out_order_no', { receivers: [RECEIVER] }],
  ['null', 'body', null],
  ['an array', 'body', []],
])('a sharing with %s is refused at %s', async (_what, at, body) => {
  expectProblem(await share(body), 400, at);
});

test.each([['k'.repeat(256)], ['with space'], ['']])(
  'a sharing with the Idempotency-Key %j is refused',
  async (key) => {
    const reply = await share({ receivers: [RECEIVER] }, { 'Idempotency-Key': key });
    expectProblem(reply, 400);
  },
);

test('a sharing of an unpaid order is refused', async () => {
  const reply = await share(BODY);
  expectProblem(reply, 409);
  expect(reply.body).toMatchObject({ code: 'ORDER_NOT_PAID' });
});

test('a request for an unknown sharing or that of another order is refused with 404', async () => {
  const path = `/v1/orders/${no}/profit-sharing/nothing`;
  expectProblem(await oncepay.call('GET', path), 404);
});
