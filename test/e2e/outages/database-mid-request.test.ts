// The database goes away in the middle of a request: 503 within 5 s of that.
import { databaseProxy } from '../../support/database-proxy';
import { orderBody, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { paidOrder } from '../support/refunds';

const MOST_MS = 5_000;
/** So long the requests wait before the database goes away. */
const BEFORE_MS = 1_000;
/** The sweep takes up what the outage interrupted. */
const SLOW_WECHAT_MS = 7_500;

jest.setTimeout(180_000);

const database = databaseProxy();
let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ through: database.through });
});
afterAll(async () => {
  await oncepay.stop();
  await database.close();
});
afterEach(async () => {
  await database.proxy.pass();
  oncepay.simulator.clearFaults();
  await until('the api is ready again', async () =>
    (await oncepay.call('GET', '/readyz')).status === 200 ? true : null,
  );
});

type Call = [method: string, path: string, body?: object];

/** Takes the database away while the call waits. */
async function takenAway(how: 'hang' | 'refuse', [method, path, body]: Call) {
  const called = oncepay.call(method, path, body ? { body } : {});
  const first = await Promise.race([
    called.then(() => 'replied'),
    new Promise((resolve) => setTimeout(resolve, BEFORE_MS, 'waits')),
  ]);
  expect(first).toBe('waits');
  const awayAtMs = Date.now();
  if (how === 'refuse') await database.proxy.refuse();
  else database.proxy.hang();
  const { status, body: problem } = await called;
  return { status, problem, afterMs: Date.now() - awayAtMs };
}

const slow = (operation: 'prepay' | 'close') =>
  oncepay.simulator.setFault({ operation, kind: 'delay', delayMs: SLOW_WECHAT_MS, times: 10 });

/** Calls that wait for WeChat, or for a table that another transaction has locked. */
const CALLS: Record<string, { lock?: string; prepare: () => Promise<Call> }> = {
  'an order that is created waits for its prepay': {
    prepare: () => {
      slow('prepay');
      return Promise.resolve(['POST', '/v1/orders', orderBody()]);
    },
  },
  'a close waits for WeChat': {
    prepare: async () => {
      const no = await oncepay.newOrder();
      slow('close');
      return ['POST', `/v1/orders/${no}/close`, {}];
    },
  },
  'an order is being created': {
    lock: 'orders',
    prepare: () => Promise.resolve(['POST', '/v1/orders', orderBody()]),
  },
  'a refund is being requested': {
    lock: 'refunds',
    prepare: async () => {
      const no = await paidOrder(oncepay);
      return ['POST', `/v1/orders/${no}/refunds`, { out_refund_no: `r-${no}`, amount: 1 }];
    },
  },
  'an order is being read': {
    lock: 'orders',
    prepare: async () => ['GET', `/v1/orders/${await oncepay.newOrder()}`],
  },
  'orders are being listed': {
    lock: 'orders',
    prepare: () => Promise.resolve(['GET', '/v1/orders']),
  },
};

describe.each(Object.entries(CALLS))('%s', (_, { lock, prepare }) => {
  test.each(['hang', 'refuse'] as const)('the database goes away (%s): 503', async (how) => {
    const call = await prepare();
    const blocking = await oncepay.sql.connect();
    try {
      if (lock) await blocking.query(`BEGIN; LOCK TABLE ${lock} IN ACCESS EXCLUSIVE MODE`);
      const { status, problem, afterMs } = await takenAway(how, call);
      expect([status, problem]).toMatchObject([503, { code: 'TEMPORARY_FAILURE' }]);
      expect(afterMs).toBeLessThan(MOST_MS);
    } finally {
      await blocking.query('ROLLBACK');
      blocking.release();
    }
  });
});
