/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the decisions about failed attempts on a real database.
import { putPolicy } from '../../database/support/two-persons';
import { Pool } from 'pg';
import {
  OperationFailure,
  OperationFailures,
  retryIn,
  type FailedOperation,
  type RetryDecision,
} from '../../../activities/retries/failures';
import { createRetryControl } from '../../../activities/retries/control';
import { createRetryDecider } from '../../../activities/retries/decide-retry';
import type { Database } from '../../../database/database';
import {
  BUDGET_SPENT,
  DEFAULT_POLICIES,
  type RetryPolicy,
} from '../../../domain/retries/retry-policy';
import { openDatabase } from '../../database/support/built';
import { secrets } from '../../database/support/secrets';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { fen } from '../../../domain/money';

const ACTOR = { name: 'ops', role: 'admin' };
const START_MS = Date.parse('2026-01-01T12:00:00+08:00');
const MINUTE_MS = 60_000;
/** The worker doesn't log a failure of this category. */
const BENIGN = 'BENIGN';

let stored: TestDatabase;
let sql: Pool;
let database: Database;
let nowMs = START_MS;
let awayCount = 0;
let awayIsKnown = false;
let orders = 0;
beforeAll(async () => {
  stored = await createTestDatabase();
  sql = new Pool({ connectionString: stored.url, max: 2 });
  database = openDatabase({ url: stored.url, ...secrets, webhooks: true });
});
afterAll(async () => {
  await Promise.all([database.end(), sql.end()]);
  await stored.drop();
});
afterEach(async () => {
  await database.dependencies.mark('wechatpay', 'up', {}, nowMs);
  for (const [operation, policy] of Object.entries(DEFAULT_POLICIES)) {
    await putPolicy(database, operation as keyof typeof DEFAULT_POLICIES, policy);
  }
});

/** A worker that has just started: it knows nothing yet. */
function newJudge() {
  return createRetryDecider({
    database,
    control: createRetryControl({ database, now: () => nowMs }),
    onDatabaseAway: () => {
      awayCount += 1;
      return awayIsKnown;
    },
    log: () => undefined,
    now: () => nowMs,
    random: () => 0.5,
  });
}

async function newOrder(): Promise<string> {
  orders += 1;
  const { outTradeNo } = (await database.orders.create(
    {
      channel: 'admin',
      userId: `user-${orders}`,
      openid: null,
      clientIp: null,
      description: 'A T-shirt',
      items: [{ sku: 'shirt', quantity: 1, unitPriceFen: fen(300), kind: null }],
      totalFen: fen(300),
      currency: 'CNY',
      shopOrderNo: null,
      profitSharing: false,
      metadata: null,
      appId: 'wx1',
      merchantId: '1600000000',
      notifyUrl: 'https://shop.example/callbacks/wechat',
      timeExpire: '2026-01-01T12:31:00+08:00',
      expiresAtMs: START_MS + 30 * MINUTE_MS,
    },
    null,
    ACTOR,
    START_MS,
  )) as { outTradeNo: string };
  return outTradeNo;
}

const at = (number: string, activity = 'prepay') => ({ activity, number, attempt: 1 });

function failed(number: string, change: Partial<FailedOperation> = {}): FailedOperation {
  return {
    operation: 'wechat.prepay',
    number,
    subject: 'prepay',
    code: 'SYSTEM_ERROR',
    evidence: { message: 'status 500', request_id: 'r-1' },
    ...change,
  };
}

const end = (judge: ReturnType<typeof newJudge>, failure: FailedOperation) =>
  judge(new OperationFailure(failure), at(failure.number));

const spent = { type: BUDGET_SPENT, nonRetryable: true, nextRetryDelay: undefined };
const again = (nextRetryDelay: number, type = 'SYSTEM_ERROR') => ({
  type,
  nonRetryable: false,
  nextRetryDelay,
});

async function questions(no: string): Promise<Record<string, unknown>[]> {
  const { rows } = await sql.query<Record<string, unknown>>(
    `SELECT reason, subject, status, amount_fen, evidence FROM interventions
     WHERE out_trade_no = $1 ORDER BY since, subject`,
    [no],
  );
  return rows;
}

async function set(operation: FailedOperation['operation'], change: Partial<RetryPolicy>) {
  const policy = { ...DEFAULT_POLICIES[operation], ...change };
  await putPolicy(database, operation, policy);
}

test('each failure is counted in its row and waits longer, until the budget is spent', async () => {
  await set('wechat.prepay', { maxAttempts: 4, maxDelayMs: 1_500 });
  const no = await newOrder();
  const judge = newJudge();
  expect(await end(judge, failed(no))).toMatchObject(again(500));
  expect(await end(judge, failed(no))).toMatchObject(again(1_000));
  // Another worker, another run: the row goes on counting.
  expect(await end(newJudge(), failed(no))).toMatchObject(again(1_500));
  expect(await questions(no)).toEqual([]);
  expect(await end(judge, failed(no))).toMatchObject(spent);
  expect(await questions(no)).toEqual([
    {
      reason: 'wechat_failed',
      subject: 'prepay',
      status: 'open',
      amount_fen: null,
      evidence: {
        operation: 'wechat.prepay',
        code: 'SYSTEM_ERROR',
        attempts: 4,
        last_at: new Date(nowMs).toISOString(),
        message: 'status 500',
        request_id: 'r-1',
      },
    },
  ]);
  expect(await end(judge, failed(no))).toMatchObject(spent);
  expect(await questions(no)).toHaveLength(1);
});

test('a failure long after the last one starts a new count', async () => {
  await set('wechat.prepay', { maxAttempts: 2 });
  const no = await newOrder();
  expect(await end(newJudge(), failed(no))).toMatchObject(again(500));
  nowMs += 10 * MINUTE_MS + 1;
  expect(await end(newJudge(), failed(no))).toMatchObject(again(500));
  nowMs += 9 * MINUTE_MS;
  expect(await end(newJudge(), failed(no))).toMatchObject(spent);
});

test('a policy that changes between two attempts counts after the time of the cache', async () => {
  const no = await newOrder();
  const judge = newJudge();
  expect(await end(judge, failed(no))).toMatchObject(again(500));
  await set('wechat.prepay', { baseDelayMs: 7_000, factor: 1, maxAttempts: 3 });
  nowMs += 2_001;
  expect(await end(judge, failed(no))).toMatchObject(again(7_000));
  expect(await end(judge, failed(no))).toMatchObject(spent);
});

test('a code that no retry can cure opens an intervention at once', async () => {
  const no = await newOrder();
  expect(await end(newJudge(), failed(no, { code: 'WECHAT_PERMISSION_DENIED' }))).toMatchObject(
    spent,
  );
  expect(await questions(no)).toMatchObject([{ evidence: { attempts: 1 } }]);
});

test('an operation that goes on after its budget ends once, then keeps its pace', async () => {
  await set('wechat.query', { maxAttempts: 1 });
  const no = await newOrder();
  const query = failed(no, {
    operation: 'wechat.query',
    subject: 'query',
    afterSpent: { delayMs: 30_000 },
  });
  expect(await end(newJudge(), query)).toMatchObject(spent);
  expect(await end(newJudge(), query)).toMatchObject(again(30_000));
  expect(await end(newJudge(), query)).toMatchObject(again(30_000));
  expect(await questions(no)).toHaveLength(1);
});

test('a failure about a decided order opens no intervention', async () => {
  await set('wechat.close', { maxAttempts: 1 });
  const no = await newOrder();
  await sql.query(`UPDATE orders SET status = 'closed' WHERE out_trade_no = $1`, [no]);
  const close = failed(no, { operation: 'wechat.close', subject: 'close' });
  expect(await end(newJudge(), close)).toMatchObject(spent);
  expect(await questions(no)).toEqual([]);
});

describe('while WeChat is known to be down', () => {
  test('failures while WeChat is down spend no budget; a refusal counts', async () => {
    await set('wechat.prepay', { maxAttempts: 1, baseDelayMs: 60_000, maxDelayMs: 600_000 });
    const no = await newOrder();
    expect(await database.dependencies.mark('wechatpay', 'down', {}, nowMs)).toBe(true);
    expect(await database.dependencies.mark('wechatpay', 'down', {}, nowMs)).toBe(false);
    for (const code of ['SYSTEM_ERROR', 'NETWORK_ERROR', 'TIMEOUT'] as const) {
      expect(await end(newJudge(), failed(no, { code }))).toMatchObject({
        ...again(30_000, code),
        category: BENIGN,
      });
    }
    const { rows } = await sql.query(`SELECT 1 FROM retry_budgets WHERE number = $1`, [no]);
    expect(rows).toEqual([]);
    expect(await end(newJudge(), failed(no, { code: 'CONFIGURATION_ERROR' }))).toMatchObject(spent);
  });

  test('a failure of another system while WeChat is down is counted as usual', async () => {
    const no = await newOrder();
    await database.dependencies.mark('wechatpay', 'down', {}, nowMs);
    const step = { operation: 'database.write', subject: 'rest', code: 'INTERNAL_ERROR' } as const;
    expect(await end(newJudge(), failed(no, step))).toMatchObject({
      ...again(1_000, 'INTERNAL_ERROR'),
      category: undefined,
    });
    const { rows } = await sql.query(`SELECT attempts FROM retry_budgets WHERE number = $1`, [no]);
    expect(rows).toEqual([{ attempts: 1 }]);
  });
});

test('several failures of an attempt are decided separately; the shortest delay wins', async () => {
  const no = await newOrder();
  const verdicts: Record<string, RetryDecision> = {};
  const finished: (number | null)[] = [];
  const one = (kind: 'webhook' | 'message', attempts: number): FailedOperation =>
    failed(no, {
      operation: `notification.${kind}`,
      subject: `${kind}:${no}:order.paid`,
      code: 'DELIVERY_FAILED',
      attempts,
      settle: (verdict) => {
        verdicts[kind] = verdict;
        return Promise.resolve();
      },
    });
  const failures = new OperationFailures([one('webhook', 3), one('message', 2)], {
    withinMs: 2_500,
    finish: (delayMs) => {
      finished.push(delayMs);
      return Promise.resolve();
    },
  });
  const error = await newJudge()(failures, at(no, 'deliver'));
  expect(verdicts).toEqual({
    webhook: { kind: 'again', delayMs: 9_000, attempts: 3 },
    message: { kind: 'again', delayMs: 3_000, attempts: 2 },
  });
  expect(finished).toEqual([3_000]);
  expect(error).toMatchObject({ nonRetryable: false, nextRetryDelay: 2_500 });
});

test.each([
  ['NO_CODES', 'fulfilment.delivery', 'delivery', 'no_codes'],
  ['NO_STOCK', 'inventory.stock', 'stock', 'no_stock'],
  ['EFFECT_FAILED', 'fulfilment.points', 'points', 'effect_failed'],
] as const)(
  'an effect that escalates for %s is spent and its order may be refunded',
  async (...row) => {
    const [code, operation, effect, reason] = row;
    const no = await newOrder();
    await sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status, attempts)
       VALUES ($1, $2, 'failed', 6)`,
      [no, effect],
    );
    const failure = failed(no, { operation, subject: effect, code, attempts: 6, evidence: {} });
    expect(await end(newJudge(), failure)).toMatchObject(spent);
    expect(await questions(no)).toMatchObject([{ reason, subject: effect, amount_fen: 300 }]);
    const { rows } = await sql.query(`SELECT spent FROM order_effects WHERE out_trade_no = $1`, [
      no,
    ]);
    expect(rows).toEqual([{ spent: true }]);
  },
);

test('a step whose budget is spent opens stuck without values of rows', async () => {
  await set('database.write', { maxAttempts: 2 });
  const no = await newOrder();
  const fault = new Error('duplicate key (openid)=(oSecret)', { cause: new TypeError('x') });
  const judge = newJudge();
  expect(await judge(fault, at(no, 'applyNotices'))).toMatchObject({ nextRetryDelay: 1_000 });
  expect(await judge(fault, at(no, 'applyNotices'))).toMatchObject({ type: BUDGET_SPENT });
  expect(await judge(fault, at(no, 'applyNotices'))).toMatchObject({ nextRetryDelay: 30_000 });
  const [question, ...more] = await questions(no);
  expect(more).toEqual([]);
  expect(question).toMatchObject({
    reason: 'stuck',
    subject: 'applyNotices',
    evidence: { operation: 'database.write', errors: ['Error', 'TypeError'], attempts: 2 },
  });
  expect(JSON.stringify(question)).not.toContain('oSecret');
});

test('a delayed retry and a cancellation pass through the decider unchanged', async () => {
  const no = await newOrder();
  const notYet = retryIn(15_000, 'NOT_YET', 'wechat.query');
  expect(await newJudge()(notYet, at(no))).toBe(notYet);
  const { rows } = await sql.query(`SELECT 1 FROM retry_budgets WHERE number = $1`, [no]);
  expect(rows).toEqual([]);
});

test('a row that others hold is tried again in seconds, and is no outage', async () => {
  const held = Object.assign(new Error('lock timeout'), { code: '55P03' });
  const before = awayCount;
  for (let n = 0; n < 30; n += 1) {
    expect(await newJudge()(held, at('x', 'runEffects'))).toMatchObject({
      type: 'TEMPORARY_FAILURE',
      nextRetryDelay: 5_000,
      category: BENIGN,
    });
  }
  expect(awayCount).toBe(before);
});

test('an attempt without the database spends no budget and is repeated in seconds', async () => {
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const before = awayCount;
  expect(await newJudge()(away, at('x', 'loadRun'))).toMatchObject({
    type: 'TEMPORARY_FAILURE',
    nextRetryDelay: 5_000,
  });
  expect(awayCount).toBe(before + 1);
});

test.each([
  ['the first tries without the database are logged', false, undefined],
  ['tries in a known outage of the database are not logged', true, BENIGN],
] as const)('%s', async (_, isKnown, category) => {
  const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  awayIsKnown = isKnown;
  expect(await newJudge()(away, at('x', 'loadRun'))).toMatchObject({ category });
  awayIsKnown = false;
});

test('a decision without any database ends in the same short retry', async () => {
  const gone = openDatabase({
    url: 'postgresql://oncepay:x@127.0.0.1:1/none',
    ...secrets,
    webhooks: false,
  });
  try {
    const judge = createRetryDecider({
      database: gone,
      control: createRetryControl({ database: gone, now: () => nowMs }),
      onDatabaseAway: () => false,
      log: () => undefined,
      now: () => nowMs,
      random: () => 0,
    });
    const error = await judge(new OperationFailure(failed('x')), at('x'));
    expect(error).toMatchObject({ type: 'TEMPORARY_FAILURE', nextRetryDelay: 3_000 });
  } finally {
    await gone.end();
  }
});
