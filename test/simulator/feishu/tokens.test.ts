// Tokens, rights, quota and limits: everything that Feishu checks before it does a call's work.
import { feishuEnvironment } from '../../../simulator/feishu/control/environment';
import { post, startApp, tokenOf, type App } from './support/app';

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
  tableId = await app.makeTable([{ field_name: '投递编号', type: 1 }]);
});

const search = () => app.rows(tableId, 'search', {});

describe('a token of the simulator', () => {
  it('is the same while 30 minutes are left, then a new one beside the old, and ends', async () => {
    const first = await tokenOf(app.feishu);
    app.feishu.advanceClock(89 * 60_000);
    expect(await tokenOf(app.feishu)).toBe(first);
    app.feishu.advanceClock(2 * 60_000);
    expect(await tokenOf(app.feishu)).not.toBe(first);
    expect((await search()).code).toBe(0);
    app.feishu.advanceClock(29 * 60_000);
    expect(await search()).toMatchObject({ status: 400, code: 99991663 });
  });

  it('is refused with HTTP 200 to an unknown app and to a wrong secret', async () => {
    const path = `${app.feishu.url}/open-apis/auth/v3/tenant_access_token/internal`;
    const { appId } = app.feishu.settings;
    const unknown = await post(path, { app_id: 'cli_0000000000000000', app_secret: 'x' });
    const wrong = await post(path, { app_id: appId, app_secret: 'x' });
    expect([unknown.status, unknown.code]).toEqual([200, 10003]);
    expect([wrong.status, wrong.code]).toEqual([200, 10014]);
    expect(app.feishu.requests('token').every(({ body }) => body === null)).toBe(true);
  });

  it('that was expired is refused with the code until the app gets a new one', async () => {
    app.feishu.expireTokens(99991664);
    expect((await search()).code).toBe(99991664);
    await app.renew();
    expect((await search()).code).toBe(0);
  });

  it('that is missing or has no prefix is refused with a code of its own', async () => {
    const url = `${app.feishu.url}/open-apis/bot/v3/info`;
    const codeOf = async (headers: Record<string, string>): Promise<unknown> =>
      (await fetch(url, { headers })).json();
    expect(await codeOf({})).toMatchObject({ code: 99991661 });
    expect(await codeOf({ Authorization: 'Bearer x' })).toMatchObject({ code: 99991671 });
    expect(await codeOf({ Authorization: 'Bearer t-x' })).toMatchObject({ code: 99991663 });
  });
});

describe('a call of the simulator', () => {
  it('to a wrong path or by a wrong method gets 404 as plain text, with a log id', async () => {
    for (const [method, path] of [
      ['POST', 'bitable/v1/nothing'],
      ['GET', 'auth/v3/tenant_access_token/internal'],
    ] as const) {
      const response = await fetch(`${app.feishu.url}/open-apis/${path}`, { method });
      expect(response.status).toBe(404);
      expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
      expect(response.headers.get('x-tt-logid')).toMatch(/^\d{14}[0-9A-F]{20}$/);
      expect(await response.text()).toBe('404 page not found');
    }
    expect(app.feishu.requests('unknown')).toHaveLength(2);
  });

  it('without the scope, the document or the right to manage is refused', async () => {
    app.feishu.setRights({ scopes: ['im:message'] });
    const scope = await search();
    expect(scope.code).toBe(99991672);
    expect(scope.msg).toContain('bitable:app');
    app.feishu.setRights({ scopes: 'all', documentAdded: false });
    expect(await search()).toMatchObject({ status: 403, code: 91403 });
    app.feishu.setRights({ documentAdded: true, canManage: false });
    const file = `drive/v1/files/${app.feishu.settings.appToken}`;
    expect((await app.call('POST', `${file}/subscribe?file_type=bitable`)).code).toBe(1069603);
  });

  it('on a document with 高级权限 finds nothing and writes nothing without 可管理', async () => {
    await app.rows(tableId, 'batch_create', { records: [{ fields: { 投递编号: '1' } }] });
    app.feishu.setRights({ advancedRights: true, canManage: false });
    expect((await search()).data).toMatchObject({ items: [], total: 0, has_more: false });
    const body = { records: [{ fields: { 投递编号: '2' } }] };
    expect((await app.rows(tableId, 'batch_create', body)).code).toBe(1254302);
  });

  it('beyond the quota of the month gets 99991403 until the month ends in Beijing', async () => {
    const lastMinute = Date.UTC(2026, 10, 30, 15, 59);
    const other = await startApp({ monthlyCalls: 2, now: () => lastMinute });
    const table = await other.makeTable([{ field_name: '投递编号', type: 1 }]);
    const find = async () => (await other.rows(table, 'search', {})).code;
    expect([await find(), await find()]).toEqual([0, 99991403]);
    expect(other.feishu.callsThisMonth()).toBe(2);
    expect((await other.call('GET', 'bot/v3/info')).code).toBe(0);
    other.feishu.advanceClock(60_000);
    expect(other.feishu.callsThisMonth()).toBe(0);
    expect(await find()).toBe(0);
    await other.feishu.close();
  });

  it('faster than the limit of its API gets 429 with the seconds to wait', async () => {
    const replies = await Promise.all(Array.from({ length: 21 }, search));
    const refused = replies.filter(({ code }) => code === 99991400);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.status).toBe(429);
    expect(refused[0]?.headers.get('x-ogw-ratelimit-reset')).toBe('1');
    app.feishu.advanceClock(1_000);
    expect((await search()).code).toBe(0);
  });
});

it('the simulator names the environment with which Oncepay can call it', () => {
  const environment = feishuEnvironment(app.feishu);
  const { appId, chatId } = app.feishu.settings;
  expect(environment).toMatchObject({ FEISHU_BASE_URL: app.feishu.url, FEISHU_APP_ID: appId });
  expect(environment['FEISHU_BOT_WEBHOOK']).toBe(app.feishu.botUrl);
  expect(environment['FEISHU_CHAT_ID']).toBe(chatId);
  for (const value of Object.values(environment)) expect(value).toMatch(/^\S+$/);
});
