// The database is in New York and the processes are in Shanghai: elsewhere it is the other way.
import { Client } from 'pg';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

const DATABASE_ZONE = 'America/New_York';
const PROCESS_ZONE = 'Asia/Shanghai';
const SECOND_MS = 1_000;
const WINDOW_MS = 30 * 60 * SECOND_MS;
/** On a busy machine; the zones are five hours from UTC and more. */
const NEAR_MS = 120 * SECOND_MS;

jest.setTimeout(180_000);

/** From now on each statement that writes leaves the name and the zone of its session. */
const WATCH_SESSIONS = `
CREATE TABLE seen_sessions (application TEXT, zone TEXT, PRIMARY KEY (application, zone));
CREATE FUNCTION see_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen_sessions
  VALUES (current_setting('application_name'), current_setting('TimeZone')) ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT tablename FROM pg_tables
      WHERE schemaname = 'public' AND tablename <> 'seen_sessions' LOOP
    EXECUTE format('CREATE TRIGGER see_session AFTER INSERT OR UPDATE OR DELETE ON %I
      FOR EACH STATEMENT EXECUTE FUNCTION see_session()', t);
  END LOOP;
END $$;`;

async function prepare(databaseUrl: string): Promise<string> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const name = new URL(databaseUrl).pathname.slice(1);
  await client.query(`ALTER DATABASE "${name}" SET TimeZone = '${DATABASE_ZONE}'`);
  await client.query(WATCH_SESSIONS);
  await client.end();
  return databaseUrl;
}

let oncepay: TestOncepay;
let startedMs: number;
beforeAll(async () => {
  startedMs = Date.now();
  oncepay = await startTestOncepay({
    ownTemporal: { persistent: true },
    through: prepare,
    env: { TZ: PROCESS_ZONE, ONCEPAY_QUERY_SCHEDULE: '2s', ONCEPAY_REFUND_SPACING: '0s' },
  });
});
afterAll(() => oncepay.stop());

/** Every text in a reply that is a time, with its path. */
function timesIn(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) {
    return [[path, Date.parse(value)]];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => timesIn(inner, `${path}/${key}`));
}

/** The times of a reply that are not near: before the start, or later than the payment window. */
async function timesOff(path: string): Promise<[string, number][]> {
  const { status, body } = await oncepay.call('GET', path);
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  const times = timesIn(body);
  if (times.length === 0) throw new Error(`${path} has no times: ${JSON.stringify(body)}`);
  const latestMs = Date.now() + WINDOW_MS;
  return times.filter(([, ms]) => ms < startedMs - SECOND_MS || ms > latestMs);
}

async function lagSeconds(): Promise<number> {
  const text = await (await fetch(`${oncepay.apiUrl}/metrics`)).text();
  return Number(/^oncepay_inbox_lag_seconds (\S+)$/m.exec(text)?.[1]);
}

test('zones exchanged: orders are paid, found, refunded and listed at their times', async () => {
  const ready = await oncepay.call('GET', '/readyz');
  expect(ready.status).toBe(200);
  const found = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: found, callbacks: 0 });
  const byQuery = await oncepay.untilStatus(found, 'fulfilled');
  expect(byQuery.history.map(({ cause }) => cause)).toContain('payment_found_by_query');

  const no = await oncepay.newOrder();
  const { expires_at: expiresAt } = await oncepay.order(no);
  expect(Math.abs(Date.parse(expiresAt) - Date.now() - WINDOW_MS)).toBeLessThan(NEAR_MS);
  await oncepay.stack.stopTemporal('SIGKILL');
  const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
  expect(callback?.status).toBe(204);
  const lag = await until('the callback waits', async () => (await lagSeconds()) || null);
  expect(lag).toBeLessThan(NEAR_MS / SECOND_MS);
  await oncepay.stack.startTemporal();
  await oncepay.untilStatus(no, 'fulfilled', NEAR_MS);

  const body = { out_refund_no: `${no}-1`, amount: 300 };
  expect((await oncepay.call('POST', `/v1/orders/${no}/refunds`, { body })).status).toBe(202);
  await oncepay.untilStatus(no, 'refunded');
  for (const path of [
    `/v1/orders/${no}`,
    `/v1/orders/${found}`,
    `/v1/orders/${no}/refunds/${no}-1`,
    '/v1/orders?limit=200',
    '/v1/callback-deliveries?limit=200',
  ]) {
    expect([path, await timesOff(path)]).toEqual([path, []]);
  }
  const since = async (ms: number) => {
    const at = encodeURIComponent(new Date(ms).toISOString());
    const list = await oncepay.call('GET', `/v1/orders?created_after=${at}`);
    return (list.body as { data: { out_trade_no: string }[] }).data.length;
  };
  expect([await since(startedMs), await since(Date.now())]).toEqual([2, 0]);

  const { rows } = await oncepay.sql.query(
    'SELECT application, zone FROM seen_sessions ORDER BY application',
  );
  expect(rows).toEqual([
    { application: 'oncepay', zone: 'UTC' },
    { application: 'oncepay-callbacks', zone: 'UTC' },
  ]);
});
