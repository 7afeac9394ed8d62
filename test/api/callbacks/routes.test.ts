// The list of callbacks with the replies to them.
import { Client } from 'pg';
import { callbackDeliveryListReply } from '../../../api/callbacks/replies';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay();
});
afterAll(() => oncepay.stop());

const list = async (query = '') => {
  const { status, body } = await oncepay.call('GET', `/v1/callback-deliveries${query}`);
  expect(status).toBe(200);
  return callbackDeliveryListReply.parse(body);
};

const untilLogged = (query: string, count: number) =>
  until(`${count} deliveries are listed for ${query}`, async () => {
    const page = await list(query);
    return page.data.length === count ? page.data : null;
  });

test('a list of the callbacks of an order shows each with its reply, newest first', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.simulator.notify({ outTradeNo: no, count: 2 });
  const rows = await untilLogged(`?out_trade_no=${no}`, 3);
  expect(rows.map(({ outcome }) => outcome)).toEqual(['duplicate', 'duplicate', 'added']);
  const { notices } = await oncepay.order(no);
  for (const row of rows) {
    expect(row).toMatchObject({
      out_trade_no: no,
      notification_id: notices[0]?.id,
      http_status: 204,
      repeats: 0,
    });
    expect(row.duration_ms).toBeGreaterThan(0);
    expect(row.duration_ms).toBeLessThan(4_000);
  }
  const times = rows.map(({ received_at }) => received_at);
  expect(times).toEqual([...times].sort().reverse());
});

test('a callback that comes 31 times again: 20 rows, the newest counts the others', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.simulator.notify({ outTradeNo: no, count: 31 });
  const { notices } = await oncepay.order(no);
  await until('all are counted', async () => {
    const { data } = await list(`?out_trade_no=${no}&outcome=duplicate`);
    const repeats = data.map((row) => row.repeats);
    return repeats.reduce((sum, one) => sum + 1 + one, 0) === 31 ? true : null;
  });
  const rows = await untilLogged(`?out_trade_no=${no}&outcome=duplicate`, 20);
  expect(rows.map(({ repeats }) => repeats)).toEqual([11, ...Array.from({ length: 19 }, () => 0)]);
  expect(notices).toHaveLength(1);
});

test('a list of callbacks by outcome shows those refused for that reason', async () => {
  const { notifyUrl } = oncepay;
  await oncepay.simulator.sendRaw({ kind: 'stale', notifyUrl });
  const [row] = await untilLogged('?outcome=stale', 1);
  expect(row).toMatchObject({ http_status: 401, notification_id: null, out_trade_no: null });
});

test('a paged list of callbacks has each one once', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.simulator.notify({ outTradeNo: no, count: 6, concurrent: true });
  const whole = await untilLogged(`?out_trade_no=${no}`, 7);
  const pages: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page = await list(`?out_trade_no=${no}&limit=3${after}`);
    pages.push(...page.data.map(({ id }) => id));
    cursor = page.next_cursor;
  }
  expect(pages).toEqual(whole.map(({ id }) => id));
});

test.each(['?limit=0', '?cursor=x', '?nobody=1', '?outcome=', '?out_trade_no='])(
  '%s is 400',
  async (query) => {
    const { status } = await oncepay.call('GET', `/v1/callback-deliveries${query}`);
    expect(status).toBe(400);
  },
);

test('SIGTERM twice: the request under way gets its reply, then the log is written', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.call('PUT', '/v1/products/held', {
    body: { name: 'Held', kind: 'physical', stock: 1 },
  });
  const [api] = oncepay.apis;
  if (!api) throw new Error('no api');
  const holder = new Client({ connectionString: oncepay.databaseUrl });
  await holder.connect();
  await holder.query(`BEGIN; SELECT 1 FROM products WHERE sku = 'held' FOR UPDATE`);
  const change = oncepay.call('POST', '/v1/products/held/stock', {
    body: { delta: 1, reason: 'found' },
  });
  await until('the request waits for the row', async () => {
    const { rows } = await holder.query<{ waits: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
         AND wait_event_type = 'Lock') AS waits`,
    );
    return rows[0]?.waits === true ? true : null;
  });
  const stopped = api.kill('SIGTERM');
  await until('it takes no connection', () =>
    fetch(`http://127.0.0.1:${api.port}/healthz`).then(
      () => null,
      () => true,
    ),
  );
  const again = api.kill('SIGTERM');
  await holder.query('COMMIT');
  expect((await change).status).toBe(200);
  await Promise.all([stopped, again, holder.end()]);
  expect(await api.exited).toBe(0);
  const { rows } = await oncepay.sql.query(
    `SELECT outcome FROM callback_deliveries WHERE out_trade_no = $1`,
    [no],
  );
  expect(rows).toEqual([{ outcome: 'added' }]);
});
