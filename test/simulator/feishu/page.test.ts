// The simulator's own page: everything is escaped, and a person can edit cells and press buttons.
import { z } from 'zod';
import { startApp, startReceiver, type App, type Receiver } from './support/app';
import { button, callback, card, noteForm, text } from './support/cards';

let receiver: Receiver;
let app: App;
let tableId: string;

beforeAll(async () => {
  receiver = await startReceiver();
  app = await startApp({ callbackUrl: receiver.url });
});
afterAll(async () => {
  await app.feishu.close();
  await receiver.close();
});
beforeEach(async () => {
  app.feishu.reset();
  await app.renew();
  receiver.received.length = 0;
  tableId = await app.makeTable([
    { field_name: '操作', type: 1 },
    { field_name: '次数', type: 2 },
    { field_name: '状态', type: 3, property: { options: [{ name: '已生效' }] } },
    { field_name: '更新时间', type: 5 },
  ]);
});

const EVIL = '<script>alert(1)</script>"\'&';
const person = (): string => app.feishu.people[1]?.openId ?? '';
const state = async () => {
  const body: unknown = await (await fetch(`${app.feishu.url}/page/state`)).json();
  return z.object({ tables: z.string(), chat: z.string() }).parse(body);
};
const act = async (path: string, body: object, type = 'application/json') => {
  const response = await fetch(`${app.feishu.url}/page/${path}`, {
    method: 'POST',
    headers: { 'Content-Type': type },
    body: JSON.stringify({ by: person(), ...body }),
  });
  return { status: response.status, json: await response.json() };
};
const addRow = async (fields: object): Promise<string> => {
  await app.rows(tableId, 'batch_create', { records: [{ fields }] });
  return app.feishu.rows(tableId)[0]?.recordId ?? '';
};
const send = async (...elements: object[]): Promise<string> => {
  const reply = await app.call('POST', 'im/v1/messages?receive_id_type=chat_id', {
    receive_id: app.feishu.settings.chatId,
    msg_type: 'interactive',
    content: JSON.stringify(card(...elements)),
  });
  return String(reply.data['message_id']);
};

describe('the page of the simulator', () => {
  it('is one of plain HTML with its own script only', async () => {
    const page = await fetch(app.feishu.url);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(await page.text()).toContain('当前身份');
    for (const path of ['style.css', 'script.js']) {
      expect((await fetch(`${app.feishu.url}/page/${path}`)).status).toBe(200);
    }
  });

  it('escapes cells, names of columns, and everything in cards', async () => {
    await addRow({ 操作: EVIL, 状态: EVIL });
    await app.call('POST', `${app.table(tableId)}/fields`, { field_name: EVIL, type: 1 });
    await send(
      text(`${EVIL} [x](javascript:alert(1)) [y](https://example.com/"onclick=alert(1))`),
      text('&#60;img src=x&#62; **粗** &lt;b&gt;'),
      button(EVIL, callback({ [EVIL]: EVIL })),
    );
    const { tables, chat } = await state();
    for (const shown of [tables, chat]) {
      expect(shown).not.toMatch(/<script|<img|"onclick|href="javascript/);
      expect(shown).toContain('&lt;script&gt;');
    }
    expect(chat).toContain('<b>粗</b>');
  });

  it.each([
    ['次数', '7', 7],
    ['状态', '已生效', '已生效'],
    ['更新时间', '2026/12/01 08:00:00', Date.UTC(2026, 11, 1)],
  ])('saves what a person types in %s, as this person', async (column, typed, value) => {
    const record = await addRow({ 操作: 'a' });
    expect((await act('edit', { table: tableId, record, column, text: typed })).status).toBe(200);
    const [row] = app.feishu.rows(tableId);
    expect(row?.fields[column]).toEqual(value);
    expect(row?.lastModifiedBy).toBe(person());
  });

  it('says why Feishu refuses a value, and the cell stays', async () => {
    const record = await addRow({ 次数: 3 });
    const edit = { table: tableId, record, column: '次数', text: '三' };
    const { status, json } = await act('edit', edit);
    expect(status).toBe(409);
    expect(json).toMatchObject({ toast: { type: 'error' } });
    expect(app.feishu.rows(tableId)[0]?.fields['次数']).toBe(3);
  });

  it('adds and deletes rows', async () => {
    await act('add-row', { table: tableId });
    const [row] = app.feishu.rows(tableId);
    expect(row?.createdBy).toBe(person());
    await act('delete-row', { table: tableId, record: row?.recordId });
    expect(app.feishu.rows(tableId)).toEqual([]);
  });

  it('presses a button with the note and shows the toast of the app', async () => {
    const value = { action: 'accept' };
    const message = await send(noteForm(value));
    receiver.reply({ status: 200, body: { toast: { type: 'success', content: '已受理' } } });
    const press = { message, value, name: 'accept', formValue: { note: '已确认' } };
    expect(await act('press', press)).toEqual({
      status: 200,
      json: { toast: { type: 'success', content: '已受理' } },
    });
    expect(receiver.received).toHaveLength(1);
  });

  it('takes acts as JSON only, so that the form of another site can send none', async () => {
    expect((await act('add-row', { table: tableId }, 'text/plain')).status).toBe(400);
    expect(app.feishu.rows(tableId)).toEqual([]);
  });
});
