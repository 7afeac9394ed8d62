// Tables, columns and searches of the simulator.
import { foundBy, startApp, type App } from './support/app';

let app: App;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app.feishu.close();
});
beforeEach(async () => {
  app.feishu.reset();
  await app.renew();
});

const TEXT = { field_name: '操作', type: 1 };

describe('a table of the simulator', () => {
  const tables = () => `bitable/v1/apps/${app.feishu.settings.appToken}/tables`;
  const make = (table: object) => app.call('POST', tables(), { table });

  it('is made with its columns, the first as index, and is listed', async () => {
    const select = { field_name: '状态', type: 3, property: { options: [{ name: '已生效' }] } };
    const made = await make({ name: ' 重试机制配置 ', fields: [TEXT, select] });
    expect(made.data).toMatchObject({ field_id_list: [expect.any(String), expect.any(String)] });
    const [table] = app.feishu.tables();
    expect(table).toMatchObject({ name: '重试机制配置', tableId: made.data['table_id'], rows: 0 });
    const listed = await app.call('GET', tables());
    expect(listed.data).toMatchObject({ total: 1, items: [{ name: '重试机制配置' }] });
    const fields = await app.call('GET', `${app.table(table?.tableId ?? '')}/fields`);
    expect(fields.data).toMatchObject({
      total: 2,
      has_more: false,
      items: [
        { field_name: '操作', type: 1, ui_type: 'Text', is_primary: true, property: null },
        { field_name: '状态', type: 3, is_primary: false, property: { options: [{ color: 0 }] } },
      ],
    });
  });

  it.each([
    ['a select as its index', { name: 'x', fields: [{ field_name: '状态', type: 3 }] }, 1254012],
    ['a column twice', { name: 'x', fields: [TEXT, TEXT] }, 1254014],
    ['an unknown type', { name: 'x', fields: [TEXT, { field_name: 'y', type: 99 }] }, 1254012],
    ['a link with property', { name: 'x', fields: [{ ...TEXT, type: 15, property: {} }] }, 1254087],
    [
      'a colour beyond 54',
      {
        name: 'x',
        fields: [
          TEXT,
          { field_name: 'y', type: 3, property: { options: [{ name: 'a', color: 55 }] } },
        ],
      },
      1254082,
    ],
    ['a name with a slash', { name: 'a/b', fields: [TEXT] }, 1254001],
    [
      'more than 300 columns',
      {
        name: 'x',
        fields: Array.from({ length: 301 }, (_, at) => ({ field_name: `${at}`, type: 1 })),
      },
      1254105,
    ],
  ])('is refused with %s', async (_case, table, code) => {
    expect((await make(table)).code).toBe(code);
    expect(app.feishu.tables()).toEqual([]);
  });

  it('whose name is taken is refused', async () => {
    await app.makeTable([TEXT], '一');
    expect((await make({ name: '一', fields: [TEXT] })).code).toBe(1254013);
  });

  it('gets a column more, once', async () => {
    const tableId = await app.makeTable([TEXT]);
    const add = () =>
      app.call('POST', `${app.table(tableId)}/fields`, { field_name: '值', type: 1 });
    expect((await add()).data).toMatchObject({ field: { field_name: '值', is_primary: false } });
    expect((await add()).code).toBe(1254014);
  });

  it('keeps its cells when a person renames a column, but calls by the old name fail', async () => {
    const tableId = await app.makeTable([TEXT, { field_name: '值', type: 1 }]);
    await app.rows(tableId, 'batch_create', { records: [{ fields: { 值: '30m' } }] });
    app.feishu.renameColumn(tableId, '值', '新值');
    const body = { records: [{ fields: { 值: '1h' } }] };
    expect((await app.rows(tableId, 'batch_create', body)).code).toBe(1254045);
    expect((await app.rows(tableId, 'search', { field_names: ['值'] })).code).toBe(1254045);
    expect(app.feishu.rows(tableId)[0]?.fields['新值']).toEqual([{ text: '30m', type: 'text' }]);
    app.feishu.deleteColumn(tableId, '新值');
    expect(app.feishu.rows(tableId)[0]?.fields).toEqual({});
    app.feishu.deleteTable(tableId);
    expect((await app.rows(tableId, 'search', {})).code).toBe(1254041);
  });
});

describe('a search of the simulator', () => {
  let tableId: string;
  const search = (body: object, query = '') => app.rows(tableId, `search${query}`, body);
  const names = async (body: object) =>
    foundBy(await search(body)).map(({ fields }) => fields['次数']);
  const where = (...conditions: object[]) => ({ filter: { conjunction: 'and', conditions } });

  beforeEach(async () => {
    tableId = await app.makeTable([
      TEXT,
      { field_name: '次数', type: 2 },
      { field_name: '时间', type: 5 },
    ]);
    const records = [1, 2, 3].map((at) => ({
      fields: { 操作: `wechat.${at === 2 ? 'refund' : 'prepay'}`, 次数: at, 时间: at * 1_000 },
    }));
    await app.rows(tableId, 'batch_create', { records });
  });

  it('comes in pages with a token for the next', async () => {
    const first = await search({}, '?page_size=2');
    expect(first.data).toMatchObject({ has_more: true, total: 3 });
    expect(foundBy(first)).toHaveLength(2);
    const token = String(first.data['page_token']);
    const last = await search({}, `?page_size=2&page_token=${token}`);
    expect(last.data).toMatchObject({ has_more: false });
    expect(foundBy(last)).toHaveLength(1);
    expect((await search({}, '?page_size=501')).code).toBe(99992402);
    expect((await search({}, '?page_token=none')).code).toBe(1254010);
  });

  it('can repeat the last token and say that there is more, as some versions did', async () => {
    app.feishu.setRepeatedPageToken(true);
    const first = await search({});
    const token = String(first.data['page_token']);
    const again = await search({}, `?page_token=${token}`);
    expect(again.data).toMatchObject({ has_more: true, page_token: token });
  });

  it('shows the writers with automatic_fields only', async () => {
    const [row] = app.feishu.rows(tableId);
    const by = app.feishu.people[0]?.openId ?? '';
    await app.feishu.edit(tableId, row?.recordId ?? '', { 次数: 9 }, by);
    const [plain] = foundBy(await search({}));
    const [full] = foundBy(await search({ automatic_fields: true }));
    expect(plain).not.toHaveProperty('last_modified_by');
    expect(full).toMatchObject({
      created_by: { id: app.feishu.settings.appOpenId, name: 'Oncepay' },
      last_modified_by: { id: by },
      last_modified_time: expect.any(Number) as number,
    });
  });

  it('filters by text, number and date, and sorts', async () => {
    const text = { field_name: '操作', operator: 'is', value: ['wechat.prepay'] };
    const number = { field_name: '次数', operator: 'isGreater', value: ['1'] };
    const date = { field_name: '时间', operator: 'isLess', value: ['ExactDate', '3000'] };
    expect(await names(where(text))).toEqual([1, 3]);
    expect(await names(where(text, number))).toEqual([3]);
    expect(await names(where(date))).toEqual([1, 2]);
    expect(await names({ sort: [{ field_name: '次数', desc: true }] })).toEqual([3, 2, 1]);
  });

  it('refuses a filter that is not in its form', async () => {
    const date = { field_name: '时间', operator: 'is', value: ['3000'] };
    const unknown = { field_name: '没有', operator: 'is', value: ['1'] };
    expect((await search(where(date))).code).toBe(1254018);
    expect((await search(where(unknown))).code).toBe(1254045);
    expect((await search({ filter: { conditions: [] } })).code).toBe(1254018);
  });
});
