// Feishu's client against the simulator: tokens, lost replies, conflicts, pages, cards.
import { randomUUID } from 'node:crypto';
import type { FeishuCallEvent } from '../../../providers/feishu/calls/perform';
import { createFeishuClient, type FeishuClient } from '../../../providers/feishu/client';
import type { FeishuSimulator } from '../../../simulator/feishu/control/simulator';
import { startFeishuSimulator } from '../../../simulator/feishu/server';

const COLUMNS = [
  { field_name: '投递编号', type: 1 },
  { field_name: '处理耗时(ms)', type: 2 },
];
const CARD = {
  schema: '2.0',
  config: { update_multi: true },
  header: { template: 'red', title: { tag: 'plain_text', content: '金额不符' } },
  body: { elements: [{ tag: 'markdown', content: '应付 ￥0.01' }] },
};

let feishu: FeishuSimulator;
let client: FeishuClient;
let events: FeishuCallEvent[];
let tableId: string;

beforeAll(async () => {
  feishu = await startFeishuSimulator();
});
afterAll(() => feishu.close());
beforeEach(async () => {
  feishu.reset();
  feishu.clearFaults();
  events = [];
  const { appId, appSecret, appToken } = feishu.settings;
  client = createFeishuClient({
    baseUrl: feishu.url,
    appId,
    appSecret,
    appToken,
    now: () => feishu.now(),
    requestTimeoutMs: 1_000,
    onEvent: (event) => events.push(event),
  });
  const made = await client.createTable('支付回调处理日志', COLUMNS);
  if (made.kind !== 'ok') throw new Error(`no table: ${made.message}`);
  tableId = made.value;
});
afterEach(() => client.end());

const rows = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ 投递编号: String(index), '处理耗时(ms)': 3 }));
const create = (count: number, clientToken = randomUUID()) =>
  client.createRows(tableId, { clientToken, rows: rows(count) });
const kinds = (operation: string) =>
  events.filter((event) => event.operation === operation).map(({ outcome }) => outcome);

test('five calls at once whose token Feishu refuses fetch one new token', async () => {
  feishu.expireTokens();
  await Promise.all(Array.from({ length: 5 }, () => client.columns(tableId)));
  expect(kinds('fields').filter((kind) => kind === 'ok')).toHaveLength(5);
  expect(kinds('token')).toHaveLength(2);
});

test('a token that Feishu refuses is replaced, and the call succeeds once', async () => {
  feishu.expireTokens();
  expect((await create(1)).kind).toBe('ok');
  expect(kinds('batch_create')).toEqual(['token', 'ok']);
  expect(feishu.rows(tableId)).toHaveLength(1);
});

test('eight writes of one table at once go one after the other and meet no conflict', async () => {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => create(1)));
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(8).fill('ok'));
  expect(feishu.rows(tableId)).toHaveLength(8);
});

test.each(['hang_after', 'cut_after', 'odd'] as const)(
  'a batch whose reply is lost (%s) is unknown, and its repeat adds nothing',
  async (kind) => {
    const clientToken = randomUUID();
    feishu.setFault({ operation: 'batch_create', kind });
    const lost = await create(3, clientToken);
    const again = await create(3, clientToken);
    expect([lost.kind, again.kind]).toEqual(['unknown', 'ok']);
    const ids = feishu.rows(tableId).map(({ recordId }) => recordId);
    expect(again).toMatchObject({ value: ids });
    expect(ids).toHaveLength(3);
  },
);

test('a limited call names its wait, and a spent quota is its own outcome', async () => {
  feishu.setFault({ operation: 'batch_create', kind: 'error', code: 99991400, resetSeconds: 4 });
  expect(await create(1)).toMatchObject({ kind: 'rate_limited', waitMs: 4_000 });
  feishu.setFault({ operation: 'batch_create', kind: 'error', code: 99991403 });
  expect(await create(1)).toMatchObject({ kind: 'quota_spent' });
});

test('a column that was renamed refuses the batch by name, with the log id', async () => {
  feishu.renameColumn(tableId, '处理耗时(ms)', '耗时');
  expect(await create(1)).toMatchObject({
    kind: 'refused',
    code: 1254045,
    logId: expect.any(String) as unknown,
  });
});

test('a search of 600 rows reads two pages and ends at a repeated page token', async () => {
  await create(500);
  await create(100);
  feishu.setRepeatedPageToken(true);
  const found = await client.searchRows(tableId, ['投递编号']);
  expect(found.kind === 'ok' ? found.value.length : found).toBe(600);
});

test('rows are changed and deleted by their record ids', async () => {
  const made = await create(2);
  const [first = '', second = ''] = made.kind === 'ok' ? made.value : [];
  await client.updateRows(tableId, [{ recordId: first, fields: { '处理耗时(ms)': 9 } }]);
  await client.deleteRows(tableId, [second]);
  expect(feishu.rows(tableId)).toMatchObject([{ recordId: first, fields: { '处理耗时(ms)': 9 } }]);
});

test('a column is added to a table, and the document is subscribed to', async () => {
  const added = await client.addColumn(tableId, { field_name: '错误', type: 1 });
  const columns = await client.columns(tableId);
  const subscribed = await client.subscribe();
  expect([added.kind, subscribed.kind]).toEqual(['ok', 'ok']);
  expect(columns).toMatchObject({ value: [...COLUMNS, { field_name: '错误', type: 1 }] });
});

test('a card that the app sends twice with one uuid is shown once and can change', async () => {
  const message = { chatId: feishu.settings.chatId, uuid: randomUUID(), card: CARD };
  const sent = await client.sendCard(message);
  await client.sendCard(message);
  const changed = { ...CARD, header: { ...CARD.header, template: 'green' } };
  await client.updateCard(sent.kind === 'ok' ? sent.value : '', changed);
  expect(feishu.cards()).toMatchObject([{ by: 'app', updates: 1, card: changed }]);
});

test("a card by the group's bot is signed, and a wrong secret is refused", async () => {
  const path = new URL(feishu.botUrl).pathname;
  const { botSecret } = feishu.settings;
  const bare = createFeishuClient({
    ...{ baseUrl: feishu.url, appId: '', appSecret: '', appToken: '' },
    now: () => Date.now(),
  });
  const posted = await bare.postByBot({ path, secret: botSecret }, CARD);
  const refused = await bare.postByBot({ path, secret: 'another secret' }, CARD);
  await bare.end();
  expect([posted, refused]).toMatchObject([{ kind: 'ok' }, { kind: 'refused', code: 19021 }]);
  expect(feishu.cards()).toMatchObject([{ by: 'bot' }]);
});
