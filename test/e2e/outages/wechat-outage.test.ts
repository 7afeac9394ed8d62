// WeChat is down over 40 open orders; `npm run bench -- outage` has thousands.
import { countEffects, orderBody, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { setPolicy } from '../support/interventions';

/** The number of orders of each kind: 40 in all. */
const COUNTS = { late: 8, waiting: 12, expiring: 12, created: 8 } as const;
/** The failed attempts that each operation of an order may make, and the pause between them. */
const BUDGET = 5;
const PAUSE_MS = 3_000;
/** Everything goes on within a minute; the rest is for a busy machine. */
const RECOVERY_MS = 120_000;
const LONG = { expires_in_seconds: 3_600 };

jest.setTimeout(300_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    workers: 2,
    env: {
      ONCEPAY_LOG_LEVEL: 'info',
      ONCEPAY_QUERY_SCHEDULE: '3s,3s,3s,3s',
      // It ends in the outage: long enough to make the outage's orders, on a busy machine too.
      ONCEPAY_PAYMENT_WINDOW: '30s',
    },
  });
  for (const operation of ['prepay', 'query', 'close', 'refund', 'refund_query']) {
    await setPolicy(oncepay, `wechat.${operation}`, {
      base_delay_ms: PAUSE_MS,
      max_delay_ms: PAUSE_MS,
      factor: 1,
      jitter: 0,
      max_attempts: BUDGET,
    });
  }
});
afterAll(() => oncepay.stop());

const times = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

async function closedOrder(): Promise<string> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed', RECOVERY_MS);
  return no;
}

/** An order whose prepay fails: the reply comes without pay parameters. */
async function createdOrder(): Promise<string> {
  const { body } = await oncepay.call('POST', '/v1/orders', { body: orderBody(LONG) });
  expect(body).toMatchObject({ status: 'created', payment: null });
  return (body as { out_trade_no: string }).out_trade_no;
}

/** The number of calls about an order or a refund that WeChat has not responded to since then. */
const cutOff = (no: string, sinceMs: number) =>
  oncepay.simulator
    .requestsOf(no)
    .filter(({ fault, at }) => fault === 'cut' && Date.parse(at) > sinceMs).length;

/** Waits until each operation was tried more often than its budget allows. */
async function untilTried(numbers: readonly string[], sinceMs: number): Promise<void> {
  const enough = () => numbers.every((no) => cutOff(no, sinceMs) > BUDGET) || null;
  await until('each is tried beyond its budget', () => Promise.resolve(enough()), RECOVERY_MS);
}

async function logged(event: string): Promise<Record<string, unknown>[]> {
  const texts = await Promise.all(oncepay.workers.map((worker) => worker.output()));
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes(`"msg":"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const outages = async () => ({
  down: (await logged('dependency.down')).length,
  up: (await logged('dependency.up')).length,
  // The log lines of both workers, in no order.
  alerts: (await logged('alert')).map(({ kind }) => kind).sort(),
});

async function interventionsOf(): Promise<unknown[]> {
  const { rows } = await oncepay.sql.query<object>('SELECT * FROM interventions');
  return rows;
}

async function refundNumbers(): Promise<string[]> {
  const { rows } = await oncepay.sql.query<{ no: string }>(
    'SELECT out_refund_no AS no FROM refunds',
  );
  return rows.map(({ no }) => no);
}

test('WeChat down over 40 open orders: one alert, no intervention, all complete', async () => {
  const { simulator } = oncepay;
  const late = await times(COUNTS.late, closedOrder);
  const waiting = await times(COUNTS.waiting, () => oncepay.newOrder(LONG));
  const expiring = await times(COUNTS.expiring, () => oncepay.newOrder());

  simulator.setFault({ operation: '*', kind: 'cut', times: 1_000_000 });
  for (const outTradeNo of late) await simulator.pay({ outTradeNo, force: true });
  for (const outTradeNo of waiting) await simulator.pay({ outTradeNo, callbacks: 0 });
  const created = await times(COUNTS.created, createdOrder);
  const refunds = await until(
    'all late ones are to go back',
    async () => {
      const numbers = await refundNumbers();
      return numbers.length === late.length ? numbers : null;
    },
    RECOVERY_MS,
  );
  await untilTried([...refunds, ...waiting, ...created], 0);
  for (const no of expiring) {
    const { status, expires_at: at } = await oncepay.order(no);
    expect(status).toBe('awaiting_payment');
    // From then on the order is to be closed, with a budget of its own.
    await untilTried([no], Date.parse(at));
  }
  expect(await interventionsOf()).toEqual([]);
  expect(await outages()).toEqual({ down: 1, up: 0, alerts: ['dependency_down'] });

  simulator.clearFaults();
  for (const no of waiting) {
    await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
    expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
  }
  for (const no of late) {
    await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
    expect(simulator.refundsOf(no)).toMatchObject([{ status: 'SUCCESS', refundFen: 300 }]);
  }
  for (const no of expiring) {
    await oncepay.untilStatus(no, 'closed', RECOVERY_MS);
    expect(simulator.order(no)?.tradeState).toBe('CLOSED');
  }
  for (const no of created) {
    await oncepay.untilStatus(no, 'awaiting_payment', RECOVERY_MS);
    await simulator.pay({ outTradeNo: no });
  }
  for (const no of created) await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
  expect(simulator.refundsOf()).toHaveLength(COUNTS.late);
  expect(await interventionsOf()).toEqual([]);
  expect(await outages()).toEqual({
    down: 1,
    up: 1,
    alerts: ['dependency_down', 'dependency_up'],
  });
});
