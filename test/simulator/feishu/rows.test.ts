// Writes of rows: the field types, all or nothing, repeats by client_token, one write at a time.
import { randomUUID } from 'node:crypto';
import { foundBy, startApp, writtenBy, type App } from './support/app';

const FIELDS = [
  { field_name: '文本', type: 1 },
  { field_name: '数字', type: 2 },
  { field_name: '单选', type: 3, property: { options: [{ name: '已处理', color: 3 }] } },
  { field_name: '多选', type: 4 },
  { field_name: '时间', type: 5 },
  { field_name: '勾选', type: 7 },
  { field_name: '人员', type: 11 },
  { field_name: '电话', type: 13 },
  { field_name: '链接', type: 15 },
  { field_name: '修改时间', type: 1002 },
  { field_name: '修改人', type: 1004 },
  { field_name: '编号', type: 1005 },
];

let app: App;
let tableId: string;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app.feishu.close();
});
beforeEach(async () => {
  app.feishu.reset();
  await app.renew();
  tableId = await app.makeTable(FIELDS);
});

const create = (records: readonly object[], query = '') =>
  app.rows(tableId, `batch_create${query}`, { records: records.map((fields) => ({ fields })) });
const find = async (body: object = {}) => foundBy(await app.rows(tableId, 'search', body));

describe('a row of the simulator', () => {
  it('is read in other shapes than it was written, and a write echoes its own', async () => {
    const [person] = app.feishu.people;
    const written = {
      文本: '三次都失败',
      数字: 12.5,
      单选: '已处理',
      多选: ['甲', '乙'],
      时间: 1_790_000_000_000,
      勾选: true,
      人员: [{ id: person?.openId }],
      电话: '13026162666',
      链接: { link: 'https://example.com/1', text: '订单' },
    };
    const reply = await create([written]);
    expect(writtenBy(reply)[0]?.fields).toEqual(written);
    expect((await find())[0]?.fields).toEqual({
      ...written,
      文本: [{ text: '三次都失败', type: 'text' }],
      人员: [expect.objectContaining({ id: person?.openId, name: person?.name })],
      修改时间: app.feishu.rows(tableId)[0]?.lastModifiedMs,
      修改人: [expect.objectContaining({ id: app.feishu.settings.appOpenId })],
      编号: '1',
    });
  });

  it('has no empty cells: null, an empty text and an unticked box are absent', async () => {
    const [row] = writtenBy(await create([{ 文本: 'a', 数字: 1, 勾选: true, 时间: 5 }]));
    const fields = { 文本: '', 数字: null, 勾选: false, 时间: null };
    const records = [{ record_id: row?.record_id, fields }];
    expect(writtenBy(await app.rows(tableId, 'batch_update', { records }))[0]?.fields).toEqual({});
    const read = (await find({ field_names: ['文本', '数字', '勾选', '时间'] }))[0]?.fields;
    expect(read).toEqual({});
  });

  it('gets an unknown option of a select without a word', async () => {
    expect((await create([{ 单选: '冲突' }])).code).toBe(0);
    const [table] = app.feishu.tables();
    expect(table?.fields[2]?.options).toEqual(['已处理', '冲突']);
  });

  it.each([
    ['文本', 5, 1254060],
    ['文本', 'x'.repeat(100_001), 1254130],
    ['数字', '12', 1254061],
    ['单选', ['已处理'], 1254062],
    ['多选', '甲', 1254063],
    ['时间', '2026-12-01', 1254064],
    ['时间', 1.5, 1254064],
    ['勾选', 'true', 1254065],
    ['人员', [{ id: 'ou_of_another_app' }], 1254066],
    ['人员', 'ou_1', 1254066],
    ['电话', 'none', 1254072],
    ['链接', 'https://example.com', 1254068],
    ['修改时间', 1, 1254015],
    ['不存在', 'x', 1254045],
  ])(
    'is refused for %s = %j with its code, and no row of the batch is kept',
    async (name, value, code) => {
      expect((await create([{ 文本: 'good' }, { [name]: value }])).code).toBe(code);
      expect(app.feishu.rows(tableId)).toEqual([]);
    },
  );
});

describe('a batch of the simulator', () => {
  it('beyond 1,000 rows, or 500 to delete, is refused', async () => {
    const rows = Array.from({ length: 1_001 }, () => ({ 文本: 'x' }));
    expect((await create(rows)).code).toBe(1254104);
    expect((await create(rows.slice(1))).code).toBe(0);
    const ids = app.feishu.rows(tableId).map(({ recordId }) => recordId);
    const remove = (records: readonly string[]) => app.rows(tableId, 'batch_delete', { records });
    expect((await remove(ids.slice(0, 501))).code).toBe(1254104);
    expect((await remove(ids.slice(0, 500))).data['records']).toContainEqual({
      deleted: true,
      record_id: ids[0],
    });
    expect(app.feishu.rows(tableId)).toHaveLength(500);
  });

  it('that would pass the limit of rows is refused whole', async () => {
    app.feishu.setRowLimit(3);
    expect((await create([{}, {}])).code).toBe(0);
    expect((await create([{}, {}])).code).toBe(1254103);
    expect((await create([{}])).code).toBe(0);
  });

  it('with an unknown row changes and deletes nothing', async () => {
    const [row] = writtenBy(await create([{ 文本: 'a' }]));
    const id = row?.record_id ?? '';
    const records = [
      { record_id: id, fields: { 文本: 'b' } },
      { record_id: 'recNone', fields: {} },
    ];
    expect((await app.rows(tableId, 'batch_update', { records })).code).toBe(1254043);
    expect((await app.rows(tableId, 'batch_delete', { records: [id, 'recNone'] })).code).toBe(
      1254043,
    );
    expect(app.feishu.rows(tableId)[0]?.fields['文本']).toEqual([{ text: 'a', type: 'text' }]);
  });

  it('with the same client_token gives the same rows; with other content 1255006', async () => {
    const query = `?client_token=${randomUUID()}`;
    const first = await create([{ 文本: 'a' }], query);
    const again = await create([{ 文本: 'a' }], query);
    expect(writtenBy(again)).toEqual(writtenBy(first));
    expect((await create([{ 文本: 'b' }], query)).code).toBe(1255006);
    expect(app.feishu.rows(tableId)).toHaveLength(1);
  });

  it('with a client_token that is no UUID v4 is refused', async () => {
    const v1 = '6c84fb90-12c4-11e1-840d-7b25c5ee775a';
    for (const token of [v1, 'batch-1']) {
      expect((await create([{}], `?client_token=${token}`)).code).toBe(1254037);
    }
  });

  it('that was refused leaves its client_token free', async () => {
    const query = `?client_token=${randomUUID()}`;
    expect((await create([{ 数字: 'x' }], query)).code).toBe(1254061);
    expect((await create([{ 数字: 1 }], query)).code).toBe(0);
  });

  it('beside another write of the table is refused; of another table it is not', async () => {
    const slow = await startApp({ writeMs: 60_000 });
    const one = await slow.makeTable(FIELDS, '一');
    const two = await slow.makeTable(FIELDS, '二');
    const body = { records: [{ fields: { 文本: 'a' } }] };
    const twice = (table: string) => [
      slow.rows(table, 'batch_create', body),
      slow.rows(table, 'batch_create', body),
    ];
    const writes = [...twice(one)];
    expect((await Promise.race(writes)).code).toBe(1254291);
    writes.push(...twice(two));
    expect((await Promise.race(writes.slice(2))).code).toBe(1254291);
    slow.feishu.advanceClock(60_000);
    const codes = (await Promise.all(writes)).map(({ code }) => code);
    expect(codes.toSorted((a, b) => a - b)).toEqual([0, 0, 1254291, 1254291]);
    await slow.feishu.close();
  });
});

describe('a lag of the simulator', () => {
  it('hides a new row from updates for a while, as "not found"', async () => {
    app.feishu.setLag({ notFoundMs: 5_000 });
    app.feishu.advanceClock(5_000);
    const [row] = writtenBy(await create([{ 文本: 'a' }]));
    const update = () =>
      app.rows(tableId, 'batch_update', {
        records: [{ record_id: row?.record_id, fields: { 文本: 'b' } }],
      });
    expect((await update()).code).toBe(1254043);
    app.feishu.advanceClock(5_000);
    expect((await update()).code).toBe(0);
  });

  it('hides a write that ignored the consistency check from searches only', async () => {
    app.feishu.setLag({ searchMs: 5_000 });
    await create([{ 文本: 'seen' }]);
    const [late] = writtenBy(await create([{ 文本: 'late' }], '?ignore_consistency_check=true'));
    expect(await find()).toHaveLength(1);
    expect(app.feishu.rows(tableId)).toHaveLength(2);
    await app.rows(tableId, 'batch_delete?ignore_consistency_check=true', {
      records: [late?.record_id],
    });
    app.feishu.advanceClock(5_000);
    expect(await find()).toHaveLength(1);
  });
});
