// Products, stock and codes: which requests are refused.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
let before: Record<string, number>;
beforeAll(async () => {
  oncepay = sharedOncepay();
  await put('shirt', { name: 'Shirt', kind: 'physical', stock: 5 });
  await put('air', { name: 'Air', kind: 'physical', stock: null });
  await put('game', { name: 'Game', kind: 'virtual' });
  await put('other-game', { name: 'Other game', kind: 'virtual' });
  await post('other-game/codes', { codes: ['THEIRS-1', 'THEIRS-2'] });
});
beforeEach(async () => {
  before = await countRows(oncepay.sql);
});

const put = (sku: string, body: unknown) => oncepay.call('PUT', `/v1/products/${sku}`, { body });
const post = (path: string, body: unknown) =>
  oncepay.call('POST', `/v1/products/${path}`, { body });

const OVER = 2_147_483_648;

test.each<[string, Record<string, unknown>]>([
  ['name', { name: undefined }],
  ['name', { name: null }],
  ['name', { name: '' }],
  ['name', { name: 5 }],
  ['name', { name: 'x'.repeat(128) }],
  ['name', { name: 'a\tb' }],
  ['name', { name: 'a\0b' }],
  ['kind', { kind: undefined }],
  ['kind', { kind: 'Physical' }],
  ['kind', { kind: null }],
  ['stock', { stock: -1 }],
  ['stock', { stock: 1.5 }],
  ['stock', { stock: '5' }],
  ['stock', { stock: OVER }],
  ['stock', { stock: 1e21 }],
  ['stock', { stock: true }],
  ['sku', { sku: 'mine' }],
  ['reserved', { reserved: 0 }],
])('a product with an invalid %s (%j) is refused', async (field, change) => {
  expectProblem(await put('new', { name: 'New', kind: 'physical', ...change }), 400, field);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test('a product with a stock of 0 or -0 has tracked stock', async () => {
  const rawBody = '{"name":"None","kind":"physical","stock":-0}';
  const reply = await oncepay.call('PUT', '/v1/products/none', { rawBody });
  expect([reply.status, reply.body]).toMatchObject([200, { stock: 0 }]);
});

test('a product that is put again keeps its kind and its stock', async () => {
  expectProblem(await put('shirt', { name: 'Shirt', kind: 'virtual' }), 409);
  const again = await put('shirt', { name: 'Shirt, blue', kind: 'physical', stock: 1_000 });
  expect([again.status, again.body]).toMatchObject([200, { name: 'Shirt, blue', stock: 5 }]);
});

test.each<[string, unknown]>([
  ['delta', { reason: 'x' }],
  ['delta', { delta: null, reason: 'x' }],
  ['delta', { delta: 0, reason: 'x' }],
  ['delta', { delta: -0, reason: 'x' }],
  ['delta', { delta: 0.5, reason: 'x' }],
  ['delta', { delta: '1', reason: 'x' }],
  ['delta', { delta: OVER, reason: 'x' }],
  ['delta', { delta: -OVER, reason: 'x' }],
  ['reason', { delta: 1 }],
  ['reason', { delta: 1, reason: '' }],
  ['reason', { delta: 1, reason: 'x'.repeat(256) }],
  ['reason', { delta: 1, reason: 'a\nb' }],
  ['by', { delta: 1, reason: 'x', by: 'me' }],
])('a stock change with an invalid %s (%j) is refused', async (field, body) => {
  expectProblem(await post('shirt/stock', body), 400, field);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test.each<[string, number, number]>([
  ['shirt', -6, 409],
  ['shirt', 2_147_483_647, 409],
  ['air', 1, 409],
  ['nothing', 1, 404],
])('a change of the stock of %s by %i is refused with %i', async (sku, delta, status) => {
  expectProblem(await post(`${sku}/stock`, { delta, reason: 'count' }), status);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test.each<[string, unknown]>([
  ['codes', {}],
  ['codes', { codes: null }],
  ['codes', { codes: 'A' }],
  ['codes', { codes: [] }],
  ['codes', { codes: { 0: 'A' } }],
  ['codes', { codes: Array.from({ length: 1_001 }, (_, index) => `C${index}`) }],
  ['codes[0]', { codes: [''] }],
  ['codes[0]', { codes: [7] }],
  ['codes[0]', { codes: [null] }],
  ['codes[1]', { codes: ['fine', 'x'.repeat(256)] }],
  ['codes[1]', { codes: ['fine', 'a\nb'] }],
  ['codes[1]', { codes: ['fine', 'a\0b'] }],
  ['sku', { codes: ['fine'], sku: 'game' }],
])('codes with an invalid %s are refused (%#)', async (field, body) => {
  expectProblem(await post('game/codes', body), 400, field);
  expect(await countRows(oncepay.sql)).toEqual(before);
});

test('codes of another product are refused and named; known codes stay as they are', async () => {
  const taken = await post('game/codes', { codes: ['NEW-1', 'THEIRS-2', 'THEIRS-1'] });
  expectProblem(taken, 409, 'codes[1]');
  expectProblem(taken, 409, 'codes[2]');
  expect(JSON.stringify(taken.body)).not.toContain('THEIRS');
  expect(await countRows(oncepay.sql)).toEqual(before);
  const added = await post('game/codes', { codes: ['NEW-1', 'NEW-1', 'NEW-2'] });
  expect([added.status, added.body]).toMatchObject([200, { codes_left: 2 }]);
  const again = await post('game/codes', { codes: ['NEW-2', 'NEW-3'] });
  expect([again.status, again.body]).toMatchObject([200, { codes_left: 3 }]);
});

test('a thousand codes in one request are added', async () => {
  const codes = Array.from({ length: 1_000 }, (_, index) => `${index}-${'\u7801'.repeat(60)}`);
  const reply = await post('other-game/codes', { codes });
  expect([reply.status, reply.body]).toMatchObject([200, { codes_left: 1_002 }]);
});

test.each([
  ['physical product', 'shirt/codes', 409],
  ['unknown product', 'nothing/codes', 404],
])('codes for a %s are refused', async (_what, path, status) => {
  expectProblem(await post(path, { codes: ['X-1'] }), status);
  expect(await countRows(oncepay.sql)).toEqual(before);
});
