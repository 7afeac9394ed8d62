// Thirty seconds without Temporal under a stream of callbacks.
import { setTimeout as delay } from 'node:timers/promises';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

const ORDERS = 150;
/** The duration of the outage; the callbacks are spread over it. */
const AWAY_MS = 30_000;
/** Open work goes on within 60 s when Temporal is back; the rest is for a busy machine. */
const RECOVERY_MS = 75_000;

jest.setTimeout(200_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    ownTemporal: { persistent: true },
    // Payments are reported by callbacks alone: a query would report them out of their order.
    env: { ONCEPAY_QUERY_SCHEDULE: '1h', ONCEPAY_LOG_LEVEL: 'info' },
  });
});
afterAll(() => oncepay.stop());

/** One order made by the API, and many copies of it: this test is not about making orders. */
async function makeOrders(): Promise<string[]> {
  const first = await oncepay.newOrder({ expires_in_seconds: 3_600 });
  const numbers = Array.from({ length: ORDERS }, (_, n) => first.slice(0, -4) + String(1_000 + n));
  for (const table of ['orders', 'order_items']) {
    await oncepay.sql.query(
      `INSERT INTO ${table} SELECT
         (jsonb_populate_record(one, jsonb_build_object('out_trade_no', no))).*
       FROM ${table} one, unnest($2::text[]) no WHERE one.out_trade_no = $1`,
      [first, numbers],
    );
  }
  return numbers;
}

async function metric(name: string): Promise<number> {
  const { body } = await oncepay.call('GET', '/metrics');
  const line = new RegExp(`^${name} (\\S+)$`, 'm').exec(typeof body === 'string' ? body : '');
  return Number(line?.[1]);
}

/** Every order is paid once, each with three callbacks under one id, at an even pace. */
async function payAll(numbers: readonly string[]): Promise<(number | null)[]> {
  const answers: Promise<number | null>[] = [];
  for (const outTradeNo of numbers) {
    const paid = oncepay.simulator.pay({
      outTradeNo,
      totalFen: 300,
      notifyUrl: oncepay.notifyUrl,
      callbacks: 3,
      force: true,
    });
    answers.push(paid.then(({ callback }) => callback?.status ?? null));
    await delay(AWAY_MS / numbers.length);
  }
  return Promise.all(answers);
}

/** The numbers of all rows that must exist once for each order. */
async function countAll(numbers: readonly string[]) {
  const { rows } = await oncepay.sql.query<Record<string, number>>(
    `SELECT (SELECT count(*)::int FROM orders
        WHERE out_trade_no = ANY($1) AND status = 'fulfilled') AS fulfilled,
      (SELECT count(*)::int FROM payment_transactions WHERE order_no = ANY($1)) AS transactions,
      (SELECT count(*)::int FROM points_entries WHERE out_trade_no = ANY($1)) AS points,
      (SELECT count(*)::int FROM order_status_history
        WHERE out_trade_no = ANY($1) AND to_status = 'paid') AS paid,
      (SELECT count(*)::int FROM notification_inbox WHERE out_trade_no = ANY($1)) AS notices,
      (SELECT count(*)::int FROM notification_inbox
        WHERE out_trade_no = ANY($1) AND verdict = 'applied') AS applied,
      (SELECT count(*)::int FROM interventions) AS interventions`,
    [numbers],
  );
  return rows[0];
}

/** When the thirds of the notices, by their arrival, got their verdicts: seconds, on average. */
async function verdictsByThirds(): Promise<number[]> {
  const { rows } = await oncepay.sql.query<{ at: number }>(
    `SELECT avg(extract(epoch FROM verdict_at))::float8 AS at FROM (
       SELECT verdict_at, ntile(3) OVER (ORDER BY received_at) AS third FROM notification_inbox
     ) rows GROUP BY third ORDER BY third`,
  );
  return rows.map(({ at }) => at);
}

const linesOf = async (event: string) => {
  const log = (await oncepay.apis[0]?.output()) ?? '';
  return log.split('\n').filter((line) => line.includes(`"msg":"${event}"`));
};

test('callbacks during 30 s without Temporal are taken and drained oldest first', async () => {
  const numbers = await makeOrders();
  await oncepay.stack.stopTemporal('SIGKILL');
  expect(new Set(await payAll(numbers))).toEqual(new Set([204]));
  const deliveries = oncepay.simulator.deliveries();
  expect(deliveries.length).toBe(3 * ORDERS);
  expect(new Set(deliveries.map(({ status }) => status))).toEqual(new Set([204]));

  expect(await metric('oncepay_temporal_up')).toBe(0);
  expect(await metric('oncepay_inbox_open')).toBe(ORDERS);
  expect(await metric('oncepay_inbox_lag_seconds')).toBeGreaterThan(AWAY_MS / 1_000 - 5);
  expect(await linesOf('temporal.away')).toHaveLength(1);

  // No attempt is counted while Temporal is down, except for rows that were just being tried.
  const { rowCount } = await oncepay.sql.query(
    `SELECT 1 FROM notification_inbox WHERE attempts > 0`,
  );
  expect(rowCount).toBeLessThanOrEqual(1);

  await oncepay.stack.startTemporal();
  await until(
    'every order is fulfilled',
    async () => ((await countAll(numbers))?.['fulfilled'] === ORDERS ? true : null),
    RECOVERY_MS,
  );
  expect(await countAll(numbers)).toEqual({
    fulfilled: ORDERS,
    transactions: ORDERS,
    points: ORDERS,
    paid: ORDERS,
    notices: ORDERS,
    applied: ORDERS,
    interventions: 0,
  });
  const thirds = await verdictsByThirds();
  expect(thirds).toEqual([...thirds].sort((a, b) => a - b));

  await until('the metrics say so', async () =>
    (await metric('oncepay_inbox_lag_seconds')) === 0 && (await metric('oncepay_temporal_up')) === 1
      ? true
      : null,
  );
  expect(await metric('oncepay_inbox_open')).toBe(0);
  for (const event of ['temporal.back', 'sweep.backlog', 'sweep.backlog_gone']) {
    expect([event, (await linesOf(event)).length]).toEqual([event, 1]);
  }
});
