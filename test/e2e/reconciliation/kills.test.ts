// A worker dies at each step of a reconciliation, or a server is away: the results are the same.
import { addDays, billDateAt, type BillDate } from '../../../domain/reconciliation/bill-days';
import { makeOrderNumber, shanghaiDay } from '../../../domain/orders/order-number';
import { databaseProxy } from '../../support/database-proxy';
import { countEffects, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { setPolicy } from '../support/interventions';

/** A step whose worker died begins again after its heartbeat's 30 s; the rest is for other load. */
const RECOVERY_MS = 120_000;
const ONCE = { applied: 1, points: 3, pointsEntries: 1, paidSteps: 1 };
const YESTERDAY = addDays(billDateAt(Date.now()), -1);
const dayBefore = (days: number) => addDays(YESTERDAY, -days);

/** The steps that wait for a lock of the test, in the order of a run, each on a day of its own. */
const STEPS = {
  stages: { day: dayBefore(1), table: 'reconciliation_lines' },
  compares: { day: dayBefore(2), table: 'reconciliation_differences' },
  repairs: { day: YESTERDAY, table: 'notification_inbox' },
  settles: { day: dayBefore(3), table: 'interventions' },
  finishes: { day: dayBefore(4), table: 'deliveries' },
} as const;
/** The steps that a fault of WeChat holds up. */
const FAULTS = {
  requests: { day: dayBefore(5), kind: 'creating' },
  downloads: { day: dayBefore(6), kind: 'cut' },
} as const;
/** So many requests and downloads fail: more than before the kill, few enough for a quick end. */
const HELD_UP = 15;
const DAYS = [...Object.values(STEPS), ...Object.values(FAULTS)].map(({ day }) => day);

jest.setTimeout(240_000);

let oncepay: TestOncepay;
const database = databaseProxy();
/** An order whose payment nobody has reported. */
let lost: string;

beforeAll(async () => {
  oncepay = await startTestOncepay({
    ownTemporal: { persistent: true },
    through: database.through,
    env: { ONCEPAY_RECONCILE_AT: 'off' },
  });
  await setPolicy(oncepay, 'wechat.bill', {
    base_delay_ms: 200,
    factor: 1,
    jitter: 0,
    max_delay_ms: 200,
  });
  oncepay.simulator.setBillRules({ readyHour: 0, withToday: true });
  lost = await oncepay.newOrder({ expires_in_seconds: 3_600 });
  await oncepay.simulator.pay({ outTradeNo: lost, callbacks: 0 });
});
afterAll(async () => {
  await oncepay.stop();
  await database.close();
});

const reconcile = (day: BillDate) =>
  oncepay.call('POST', '/v1/reconciliations', { body: { bill_date: day }, as: 'operator' });

async function statusOf(day: BillDate): Promise<string> {
  const { body } = await oncepay.call('GET', `/v1/reconciliations/${day}`);
  return (body as { status: string }).status;
}

const untilDone = (day: BillDate) =>
  until(
    `${day} is reconciled`,
    async () => ((await statusOf(day)) === 'done' ? true : null),
    RECOVERY_MS,
  );

/** The differences of all days, each with the number of interventions about its order. */
async function differences(): Promise<unknown> {
  const { rows } = await oncepay.sql.query<object>(
    `SELECT d.bill_date AS day, d.type, d.status, d.out_trade_no AS no,
       (SELECT count(*)::int FROM interventions i WHERE i.out_trade_no = d.out_trade_no) AS opened
     FROM reconciliation_differences d ORDER BY 1, 2, 4`,
  );
  return rows;
}

const expected = () => [
  ...[STEPS.settles, STEPS.compares].map(({ day }) => {
    const type = 'payment_missing_here';
    return { day, type, status: 'open', no: unknownNumber(day), opened: 1 };
  }),
  { day: YESTERDAY, type: 'payment_missing_here', status: 'repaired', no: lost, opened: 0 },
];

/** The days of which the shop got a webhook, one for each id. */
function reported(): string[] {
  const byId = new Map(
    oncepay.webhooks.received
      .filter(({ type }) => type === 'reconciliation.done')
      .map(({ id, data }) => [id, (data as unknown as { bill_date: string }).bill_date]),
  );
  return [...byId.values()].sort();
}

/** A number of ours by its form, which no order has; the same for a day. */
function unknownNumber(day: BillDate): string {
  return makeOrderNumber({
    day: shanghaiDay(Date.now()),
    channel: 'admin',
    sequence: 1_000_000 + Number(day.slice(-2)),
    userHash: '000000',
  });
}

test('a worker that dies at any step is replaced, and each day ends as if it lived', async () => {
  const { simulator, sql } = oncepay;
  const { compares, settles } = STEPS;
  for (const { day } of [compares, settles]) {
    simulator.addBillFault({
      kind: 'foreign_line',
      billDate: day,
      outTradeNo: unknownNumber(day),
    });
  }
  for (const { day, kind } of Object.values(FAULTS)) {
    simulator.addBillFault({ kind, billDate: day, times: HELD_UP });
    expect((await reconcile(day)).status).toBe(202);
  }
  const holder = await sql.connect();
  await holder.query('BEGIN');
  // The last step is held first: each run passes the locks that do not stand yet.
  for (const { day, table } of Object.values(STEPS).reverse()) {
    await holder.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
    expect((await reconcile(day)).status).toBe(202);
    await until(`a step waits for ${table}`, async () => {
      const { rowCount } = await sql.query(
        `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = '${table}'::regclass`,
      );
      return rowCount ? true : null;
    });
  }
  await until('the requested bills have failed', () =>
    Promise.resolve(simulator.requests().counts.trade_bill > 20 || null),
  );
  await oncepay.workers[0]?.kill('SIGKILL');
  await holder.query('ROLLBACK');
  holder.release();
  // Two workers take over at once.
  await Promise.all([oncepay.startWorker(), oncepay.startWorker()]);
  for (const day of DAYS) await untilDone(day);
  await oncepay.untilStatus(lost, 'fulfilled', RECOVERY_MS);
  expect(await countEffects(sql, lost)).toEqual(ONCE);
  expect(await differences()).toEqual(expected());
  await until('each day is reported', () => Promise.resolve(reported().length >= 7 || null));
  expect(reported()).toEqual([...DAYS].sort());
});

test('two requests for a day that is done are one rerun, which changes nothing', async () => {
  const replies = await Promise.all([reconcile(YESTERDAY), reconcile(YESTERDAY)]);
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 202]);
  await untilDone(YESTERDAY);
  expect(await differences()).toEqual(expected());
  expect(await countEffects(oncepay.sql, lost)).toEqual(ONCE);
});

test('a request while Temporal is away is accepted, and its run starts afterwards', async () => {
  await oncepay.stack.stopTemporal('SIGKILL');
  const { status, body } = await reconcile(YESTERDAY);
  expect([status, body]).toEqual([202, { bill_date: YESTERDAY, status: 'waiting' }]);
  await oncepay.stack.startTemporal();
  await untilDone(YESTERDAY);
  expect(await differences()).toEqual(expected());
});

test('a reconciliation goes on after the database was away in the middle of it', async () => {
  const { simulator, sql } = oncepay;
  const holder = await sql.connect();
  await holder.query('BEGIN');
  await holder.query('LOCK TABLE reconciliation_lines IN EXCLUSIVE MODE');
  expect((await reconcile(YESTERDAY)).status).toBe(202);
  await until('the lines of the bill wait', async () => {
    const { rowCount } = await sql.query(
      `SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'reconciliation_lines'::regclass`,
    );
    return rowCount ? true : null;
  });
  const requested = simulator.requests().counts.trade_bill;
  await database.proxy.refuse();
  await holder.query('ROLLBACK');
  holder.release();
  await database.proxy.pass();
  await untilDone(YESTERDAY);
  expect(simulator.requests().counts.trade_bill).toBeGreaterThan(requested);
  expect(await differences()).toEqual(expected());
});
