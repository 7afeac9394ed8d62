// Retries by policy: changed limits, spent budgets, outages.
import { orderBody, someUser, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { putByTwo } from '../support/interventions';

const ORDERS = 12;

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    workers: 2,
    env: { ONCEPAY_LOG_LEVEL: 'info', ONCEPAY_QUERY_SCHEDULE: '1s' },
  });
});
afterAll(() => oncepay.stop());
afterEach(() => oncepay.simulator.clearFaults());

jest.setTimeout(120_000);

/** Changes some fields of a policy, as an operator would. */
async function setPolicy(operation: string, change: Record<string, unknown>): Promise<void> {
  const path = `/v1/retry-policies/${operation}`;
  const { body: policy } = await oncepay.call('GET', path);
  await putByTwo(oncepay, path, { ...(policy as object), ...change });
}
const steady = (ms: number) => ({ base_delay_ms: ms, max_delay_ms: ms, factor: 1, jitter: 0 });

/** Starts an order whose prepay fails for now. @returns its number */
async function unpayableOrder(): Promise<string> {
  const userId = someUser();
  void oncepay.call('POST', '/v1/orders', { body: orderBody({ user_id: userId }) });
  return until('the order is there', async () => {
    const { rows } = await oncepay.sql.query<{ no: string }>(
      `SELECT out_trade_no AS no FROM orders WHERE user_id = $1`,
      [userId],
    );
    return rows[0]?.no;
  });
}

async function attempts(no: string, operation: string): Promise<number> {
  const { rows } = await oncepay.sql.query<{ attempts: number }>(
    `SELECT attempts FROM retry_budgets WHERE number = $1 AND operation = $2`,
    [no, operation],
  );
  return rows[0]?.attempts ?? 0;
}

interface Intervention {
  readonly reason: string;
  readonly subject: string;
  readonly amount_fen: number | null;
  readonly evidence: Readonly<Record<string, unknown>> & { readonly attempts: number };
}

async function interventionsOf(no: string): Promise<Intervention[]> {
  const { rows } = await oncepay.sql.query<Intervention>(
    `SELECT reason, subject, amount_fen, evidence FROM interventions
     WHERE out_trade_no = $1 AND status = 'open' ORDER BY since`,
    [no],
  );
  return rows;
}

const question = (no: string, timeoutMs?: number) =>
  until(`a person is asked about ${no}`, async () => (await interventionsOf(no))[0], timeoutMs);

/** The log lines of all workers with this event. */
async function logged(event: string): Promise<Record<string, unknown>[]> {
  const texts = await Promise.all(oncepay.workers.map((worker) => worker.output()));
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes(`"msg":"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function metric(line: RegExp): Promise<number[]> {
  const texts = await Promise.all(
    oncepay.workers.map(async ({ port }) =>
      (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    ),
  );
  return texts.flatMap((text) => {
    const [, value] = line.exec(text) ?? [];
    return value === undefined ? [] : [Number(value)];
  });
}

/** The requests about an order that WeChat got. */
const sent = (no: string, operation: string) =>
  oncepay.simulator.requestsOf(no).filter((request) => request.operation === operation);

/** WeChat's response as the evidence has it: WeChat's support finds the call by this id. */
function answered(request: { requestId: string | null } | undefined): object {
  expect(request?.requestId).toMatch(/^\S+$/);
  return { request_id: request?.requestId, wechat_code: 'SYSTEM_ERROR', status: 500 };
}

const FAILING_PREPAY = { operation: 'prepay', kind: 'error', status: 500, times: 10_000 } as const;

test('a lowered attempt limit ends a prepay’s retries and opens an intervention', async () => {
  await setPolicy('wechat.prepay', { ...steady(500), max_attempts: 100 });
  oncepay.simulator.setFault(FAILING_PREPAY);
  const no = await unpayableOrder();
  await until('it is retried', async () => ((await attempts(no, 'wechat.prepay')) >= 3 ? 1 : null));
  expect(await interventionsOf(no)).toEqual([]);
  await setPolicy('wechat.prepay', { max_attempts: 4 });
  const asked = await question(no);
  expect(asked).toMatchObject({
    reason: 'wechat_failed',
    subject: 'prepay',
    evidence: { operation: 'wechat.prepay', code: 'SYSTEM_ERROR', status: 500 },
  });
  // At least the attempts made before, at most those of the seconds that a worker keeps a policy.
  expect(asked.evidence.attempts).toBeGreaterThanOrEqual(4);
  expect(asked.evidence.attempts).toBeLessThan(20);
  expect(sent(no, 'prepay')).toHaveLength(asked.evidence.attempts);
  expect(asked.evidence).toMatchObject(answered(sent(no, 'prepay').at(-1)));
  expect((await oncepay.order(no)).attention).toMatchObject({ reason: 'wechat_failed' });
});

test('a raised attempt limit keeps a prepay’s retries going until it succeeds', async () => {
  await setPolicy('wechat.prepay', { ...steady(1_500), max_attempts: 6 });
  oncepay.simulator.setFault(FAILING_PREPAY);
  const no = await unpayableOrder();
  await until('it is retried', async () => ((await attempts(no, 'wechat.prepay')) >= 2 ? 1 : null));
  await setPolicy('wechat.prepay', { ...steady(100), max_attempts: 100 });
  await until('more than it had', async () =>
    (await attempts(no, 'wechat.prepay')) >= 10 ? 1 : null,
  );
  expect(await interventionsOf(no)).toEqual([]);
  oncepay.simulator.clearFaults();
  await oncepay.untilStatus(no, 'awaiting_payment');
});

test('a close that WeChat fails spends its budget and shows WeChat’s response', async () => {
  await setPolicy('wechat.close', { ...steady(100), max_attempts: 3 });
  const no = await oncepay.newOrder({ expires_in_seconds: 3_600 });
  oncepay.simulator.setFault({ operation: 'close', kind: 'error', status: 500, times: 10_000 });
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const asked = await question(no);
  expect(asked).toMatchObject({
    reason: 'wechat_failed',
    subject: 'close',
    evidence: { operation: 'wechat.close', code: 'SYSTEM_ERROR' },
  });
  const closes = sent(no, 'close');
  expect(asked.evidence).toMatchObject(answered(closes[asked.evidence.attempts - 1]));
});

test('WeChat down over many orders: one alert, no attempt spent, all go on later', async () => {
  await setPolicy('wechat.prepay', { ...steady(300), max_attempts: 6 });
  oncepay.simulator.setFault({ operation: '*', kind: 'cut', times: 1_000_000 });
  const numbers = await Promise.all(Array.from({ length: ORDERS }, () => unpayableOrder()));
  await until('each has had more attempts than its budget', async () => {
    const { rows } = await oncepay.sql.query<{ least: number }>(
      `SELECT min(n)::int AS least FROM (SELECT count(a.id) AS n FROM orders o
        LEFT JOIN provider_attempts a ON a.out_trade_no = o.out_trade_no AND a.outcome IS NOT NULL
        WHERE o.out_trade_no = ANY($1) GROUP BY o.out_trade_no) counted`,
      [numbers],
    );
    return (rows[0]?.least ?? 0) > 6 ? true : null;
  });
  const { rows: opened } = await oncepay.sql.query(
    `SELECT reason FROM interventions WHERE out_trade_no = ANY($1)`,
    [numbers],
  );
  expect(opened).toEqual([]);
  expect(await logged('dependency.down')).toMatchObject([
    { dependency: 'wechatpay', level: 'error' },
  ]);
  // A warning, so that people see it where INFO is switched off too.
  expect(await logged('alert')).toContainEqual(
    expect.objectContaining({ kind: 'dependency_down', level: 'warn' }),
  );
  const up = /^oncepay_dependency_up\{dependency="wechatpay"\} (\d)$/m;
  await until('both workers know', async () =>
    (await metric(up)).every((value) => value === 0) ? true : null,
  );
  oncepay.simulator.clearFaults();
  for (const no of numbers) await oncepay.untilStatus(no, 'awaiting_payment', 60_000);
  await until('it counts as up again', async () =>
    (await metric(up)).every((value) => value === 1) ? true : null,
  );
  expect(await logged('dependency.up')).toHaveLength(1);
  expect(await logged('dependency.down')).toHaveLength(1);
});

test('a webhook that nobody takes escalates with an alert; the others go on', async () => {
  await setPolicy('notification.webhook', { ...steady(100), max_attempts: 3 });
  const no = await oncepay.newOrder();
  oncepay.webhooks.failNext(1_000);
  await oncepay.simulator.pay({ outTradeNo: no });
  const order = await oncepay.untilOrder(no, 'nothing is under way', ({ status, deliveries }) => {
    const settled = deliveries.every((delivery) => delivery.status !== 'pending');
    return status === 'fulfilled' && settled;
  });
  oncepay.webhooks.failNext(0);
  expect(order.deliveries.map(({ kind, status, attempts: n }) => [kind, status, n])).toEqual([
    ['message', 'done', 1],
    ['webhook', 'failed', 3],
    ['webhook', 'failed', 3],
  ]);
  expect(
    (await interventionsOf(no)).map(({ reason, subject }) => [reason, subject]).sort(),
  ).toEqual([
    ['undeliverable', `webhook:${no}:order.fulfilled`],
    ['undeliverable', `webhook:${no}:order.paid`],
  ]);
  const lines = await until('both are told of', async () => {
    const told = (await logged('intervention.opened')).filter((one) => one['outTradeNo'] === no);
    return told.length >= 2 ? told : null;
  });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({ level: 'error', reason: 'undeliverable' });
  expect(lines[0]).not.toHaveProperty('evidence');
  const counted = await metric(
    /^oncepay_interventions_opened_total\{reason="undeliverable"\} (\d+)$/m,
  );
  expect(counted.reduce((sum, value) => sum + value, 0)).toBe(2);
  const { rows } = await oncepay.sql.query(
    `SELECT 1 FROM interventions WHERE out_trade_no = $1 AND alerted_at IS NULL`,
    [no],
  );
  expect(rows).toEqual([]);
});

test('an effect that fails for no known reason escalates; the others stand', async () => {
  await setPolicy('fulfilment.points', { ...steady(100), max_attempts: 3 });
  const userId = someUser();
  await oncepay.sql.query(
    `CREATE FUNCTION no_points() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'no points today'; END $$`,
  );
  await oncepay.sql.query(
    `CREATE TRIGGER no_points BEFORE INSERT ON points_entries FOR EACH ROW
     WHEN (NEW.user_id = '${userId}') EXECUTE FUNCTION no_points()`,
  );
  const failure = {
    effect: 'points',
    errors: ['PrismaClientKnownRequestError P2010', 'DriverAdapterError', 'SQLSTATE P0001'],
    sql_state: 'P0001',
  };
  const no = await oncepay.newOrder({ user_id: userId });
  await oncepay.simulator.pay({ outTradeNo: no });
  expect(await question(no)).toMatchObject({
    reason: 'effect_failed',
    subject: 'points',
    amount_fen: 300,
    evidence: { code: 'EFFECT_FAILED', attempts: 3, ...failure },
  });
  const order = await oncepay.order(no);
  expect(order.status).toBe('paid');
  expect(order.effects.map(({ effect, status }) => [effect, status])).toEqual([
    ['points', 'failed'],
    ['sales', 'done'],
  ]);

  // The intervention is opened at the first attempt, of which only the row is left then.
  await setPolicy('fulfilment.points', { max_attempts: 1 });
  const early = await until('the workers go by one attempt', async () => {
    const next = await oncepay.newOrder({ user_id: userId });
    await oncepay.simulator.pay({ outTradeNo: next });
    const asked = await question(next);
    return asked.evidence.attempts === 1 ? asked : null;
  });
  expect(early.evidence).toMatchObject({ code: 'EFFECT_FAILED', ...failure });
  expect(JSON.stringify(early)).not.toContain('no points today');
});

test('refused queries open one intervention, go on, and still find the payment', async () => {
  const no = await oncepay.newOrder({ expires_in_seconds: 3600 });
  oncepay.simulator.setFault({
    operation: 'query',
    kind: 'error',
    status: 403,
    code: 'NO_AUTH',
    times: 1_000,
    outTradeNo: no,
  });
  expect(await question(no)).toMatchObject({ reason: 'wechat_failed', subject: 'query' });
  const asked = () =>
    oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'query').length;
  const before = asked();
  await until('it is asked again', () => Promise.resolve(asked() > before + 1 ? true : null));
  expect(await interventionsOf(no)).toHaveLength(1);
  oncepay.simulator.clearFaults();
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await oncepay.untilStatus(no, 'fulfilled', 60_000);
  expect(await interventionsOf(no)).toEqual([]);
});

test('a step that the database refuses is stuck and goes on after the repair', async () => {
  await setPolicy('database.write', { ...steady(100), max_attempts: 2 });
  const no = await oncepay.newOrder();
  await oncepay.sql.query(
    `CREATE FUNCTION not_now() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'not now'; END $$`,
  );
  await oncepay.sql.query(
    `CREATE TRIGGER not_now BEFORE INSERT ON payment_transactions FOR EACH ROW
     WHEN (NEW.out_trade_no = '${no}') EXECUTE FUNCTION not_now()`,
  );
  await oncepay.simulator.pay({ outTradeNo: no });
  expect(await question(no, 40_000)).toMatchObject({ reason: 'stuck', subject: 'applyNotices' });
  await oncepay.sql.query(`DROP TRIGGER not_now ON payment_transactions`);
  await oncepay.untilStatus(no, 'fulfilled', 75_000);
});

test('a query schedule set by an operator counts for the next prepay everywhere', async () => {
  const { status } = await oncepay.call('PUT', '/v1/settings/query_schedule', {
    body: { value: '1234ms,1m' },
  });
  expect(status).toBe(200);
  await until('new orders go by it', async () => {
    const no = await oncepay.newOrder({ expires_in_seconds: 3600 });
    const { rows } = await oncepay.sql.query<{ gap: number }>(
      `SELECT (extract(epoch FROM next_query_at - first_prepaid_at) * 1000)::int AS gap
       FROM orders WHERE out_trade_no = $1`,
      [no],
    );
    return rows[0]?.gap === 1_234 ? true : null;
  });
});
