// Faults that a test sets in the Feishu simulator.
import { startApp, type App } from './support/app';

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

const create = () => app.rows(tableId, 'batch_create', { records: [{ fields: {} }] });
const rows = () => app.feishu.rows(tableId).length;

describe('a fault of the Feishu simulator', () => {
  it('returns an error of Feishu as often as it was set, and nothing is done', async () => {
    app.feishu.setFault({ operation: 'batch_create', kind: 'error', code: 1254291, times: 2 });
    const codes = [(await create()).code, (await create()).code, (await create()).code];
    expect(codes).toEqual([1254291, 1254291, 0]);
    expect(rows()).toBe(1);
  });

  it('returns a rate limit with its wait, and another HTTP status where it is set', async () => {
    app.feishu.setFault({ operation: '*', kind: 'error', code: 99991400, resetSeconds: 7 });
    app.feishu.setFault({ operation: '*', kind: 'error', code: 99991663, status: 200 });
    const limited = await create();
    expect(limited.status).toBe(429);
    expect(limited.headers.get('x-ogw-ratelimit-reset')).toBe('7');
    expect(limited.headers.get('retry-after')).toBeNull();
    expect(await create()).toMatchObject({ status: 200, code: 99991663 });
  });

  it('cuts the connection before or after the row was written', async () => {
    app.feishu.setFault({ operation: 'batch_create', kind: 'cut' });
    await expect(create()).rejects.toThrow();
    expect(rows()).toBe(0);
    app.feishu.setFault({ operation: 'batch_create', kind: 'cut_after' });
    await expect(create()).rejects.toThrow();
    expect(rows()).toBe(1);
    expect(app.feishu.requests('batch_create')).toMatchObject([
      { status: null, fault: 'cut', tableId },
      { status: null, fault: 'cut_after', tableId },
    ]);
  });

  it('leaves a call without a reply, its work done, until the simulator closes', async () => {
    const other = await startApp();
    const table = await other.makeTable([{ field_name: 'a', type: 1 }]);
    other.feishu.setFault({ operation: 'batch_create', kind: 'hang_after' });
    const asked = other.rows(table, 'batch_create', { records: [{ fields: {} }] });
    const ended = expect(asked).rejects.toThrow();
    while (other.feishu.requests('batch_create').length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(other.feishu.rows(table)).toHaveLength(1);
    await other.feishu.close();
    await ended;
  });

  it('returns the page of a proxy, or a reply that is not JSON', async () => {
    app.feishu.setFault({ operation: 'bot_info', kind: 'http', status: 500 });
    app.feishu.setFault({ operation: 'bot_info', kind: 'odd' });
    const get = () => fetch(`${app.feishu.url}/open-apis/bot/v3/info`);
    const page = await get();
    expect([page.status, page.headers.get('content-type')]).toEqual([
      500,
      'text/html; charset=utf-8',
    ]);
    await expect((await get()).json()).rejects.toThrow();
  });

  it('of one table leaves the others alone, and a late reply comes later', async () => {
    const other = await app.makeTable([{ field_name: 'a', type: 1 }], '二');
    app.feishu.setFault({ operation: '*', kind: 'delay', tableId: other, delayMs: 50 });
    expect((await create()).code).toBe(0);
    const startedAt = performance.now();
    expect((await app.rows(other, 'search', {})).code).toBe(0);
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(49);
  });
});
