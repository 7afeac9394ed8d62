// Requests for the receivers that payments may be shared with.
import { z } from 'zod';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const OPENID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o';
const PERSON = { type: 'PERSONAL_OPENID', account: OPENID };
const SHOP = { type: 'MERCHANT_ID', account: '1900000109' };
const add = (body: unknown) => oncepay.call('POST', '/v1/receivers', { body });
const list = (query = '') => oncepay.call('GET', `/v1/receivers${query}`, { as: 'viewer' });

const page = z.object({
  data: z.array(z.object({ id: z.string(), type: z.string() })),
  next_cursor: z.string().nullable(),
});

test('an admin adds receivers; no reply has a whole account', async () => {
  const first = await add(PERSON);
  expect(first).toMatchObject({
    status: 201,
    body: { type: 'PERSONAL_OPENID', account: 'oUpF***eS6o' },
  });
  const again = await add({ ...PERSON, name: '张三', relation_type: 'STAFF' });
  expect(again).toEqual({ ...again, status: 200, body: first.body });
  expect(await add(SHOP)).toMatchObject({ status: 201, body: { account: '190***109' } });
  const { body } = await list();
  expect(body).toMatchObject({
    data: [first.body, { type: 'MERCHANT_ID', account: '190***109' }],
    next_cursor: null,
  });
  expect(JSON.stringify([first.body, again.body, body])).not.toMatch(/AJO_M2pxb1|1900000109|张三/);
});

test('a list of receivers has pages', async () => {
  const first = page.parse((await list('?limit=1')).body);
  const second = (await list(`?limit=1&cursor=${first.next_cursor}`)).body;
  expect([first.data[0]?.type, second]).toMatchObject([
    'PERSONAL_OPENID',
    { data: [{ type: 'MERCHANT_ID' }], next_cursor: null },
  ]);
});

test('a receiver is removed by its id: 204, and 204 again', async () => {
  const { data } = page.parse((await list()).body);
  const path = `/v1/receivers/${data[0]?.id}`;
  for (let times = 0; times < 2; times += 1) {
    const reply = await oncepay.call('DELETE', path);
    expect([reply.status, reply.body, reply.headers.get('content-type')]).toEqual([204, '', null]);
  }
  expect((await list()).body).toMatchObject({ data: [{ type: 'MERCHANT_ID' }] });
  const unknown = await oncepay.call(
    'DELETE',
    '/v1/receivers/01890a5d-ac96-774b-bcce-b302099a8057',
  );
  expectProblem(unknown, 404);
});

test.each<[string, string, unknown]>([
  ['no type', 'type', { ...SHOP, type: undefined }],
  ['an unknown type', 'type', { ...SHOP, type: 'PERSONAL_SUB_OPENID' }],
  ['a merchant id with letters', 'account', { ...SHOP, account: '19abc' }],
  ['an account with a space', 'account', { ...PERSON, account: 'o 1' }],
  ['an empty account', 'account', { ...PERSON, account: '' }],
  ['an account of 65 characters', 'account', { ...PERSON, account: 'o'.repeat(65) }],
  ['an empty name', 'name', { ...SHOP, name: '' }],
  ['an unknown relation', 'relation_type', { ...SHOP, relation_type: 'FRIEND' }],
  ['an amount', 'amount', { ...SHOP, amount: 1 }],
])('a receiver with %s is refused at %s', async (_, field, body) => {
  const rows = await countRows(oncepay.sql);
  expectProblem(await add(body), 400, field);
  expect(await countRows(oncepay.sql)).toEqual(rows);
});
