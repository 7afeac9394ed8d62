// Outages: Temporal down, processes killed, the database down.
import { ifThere } from '../../support/if-there';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy';
import { countEffects, startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { setSetting } from '../support/interventions';

/** Open work goes on within 60 s when its server is back; the rest is for a busy machine. */
const RECOVERY_MS = 75_000;
/**
 * Temporal deletes a closed run after its queues acknowledged it, which takes some tens of
 * seconds.
 */
const DELETION_MS = 120_000;
/** Open orders of an outage: more than the failures in a row that make it one. */
const MANY = 8;
const ONCE = { applied: 1, points: 3, pointsEntries: 1, paidSteps: 1 };

jest.setTimeout(180_000);

/** The lines of a worker's log with this event. */
async function workerSaid(
  { workers }: TestOncepay,
  event: string,
): Promise<Record<string, unknown>[]> {
  const texts = await Promise.all(workers.map((worker) => worker.output()));
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes(`"msg":"${event}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/**
 * Waits until the worker has logged the end of every outage. @returns the kinds of all its alerts
 */
function untilBackAgain(oncepay: TestOncepay): Promise<unknown[]> {
  return until('the outage is over', async () => {
    const kinds = (await workerSaid(oncepay, 'alert')).map(({ kind }) => kind);
    const downs = kinds.filter((kind) => kind === 'dependency_down');
    return downs.length * 2 === kinds.length ? kinds : null;
  });
}

/**
 * Waits until an attempt of the order has failed because the database was away, and another after
 * it. A query that waits for the buyer fails too, but its failure has another type.
 */
async function untilFailedTwice({ temporal }: TestOncepay, no: string): Promise<void> {
  const handle = temporal.workflow.getHandle(no);
  const attemptAfter = (earlier: number) =>
    until(
      `${no} has failed without the database`,
      async () => {
        const { raw } = await handle.describe();
        const attempts = (raw.pendingActivities ?? [])
          .filter(
            ({ lastFailure }) => lastFailure?.applicationFailureInfo?.type === 'TEMPORARY_FAILURE',
          )
          .map(({ attempt }) => attempt ?? 0);
        return attempts.find((attempt) => attempt > earlier) ?? null;
      },
      RECOVERY_MS,
    );
  await attemptAfter(await attemptAfter(0));
}

describe('Temporal is down, or a run is gone', () => {
  let oncepay: TestOncepay;
  beforeAll(async () => {
    oncepay = await startTestOncepay({
      ownTemporal: { persistent: true },
      env: { ONCEPAY_QUERY_SCHEDULE: '3s' },
    });
  });
  afterAll(() => oncepay.stop());

  test('callbacks while Temporal is down are taken; nothing is lost or doubled', async () => {
    const numbers = await Promise.all(Array.from({ length: 5 }, () => oncepay.newOrder()));
    await oncepay.stack.stopTemporal('SIGKILL');
    const paid = await Promise.all(
      numbers.map((outTradeNo) => oncepay.simulator.pay({ outTradeNo, callbacks: 3 })),
    );
    expect(paid.map(({ callback }) => callback?.status)).toEqual([204, 204, 204, 204, 204]);
    const ready = await oncepay.call('GET', '/readyz');
    expect([ready.status, ready.body]).toMatchObject([200, { checks: { temporal: 'down' } }]);

    // An order can still be made; its payment is possible when Temporal is back.
    const created = await oncepay.call('POST', '/v1/orders', {
      body: {
        channel: 'admin',
        user_id: 'while-away',
        description: 'While Temporal was away',
        items: [{ sku: 's', quantity: 1, unit_price: 300 }],
        amount: { total: 300, currency: 'CNY' },
        expires_in_seconds: 3600,
      },
    });
    expect([created.status, created.body]).toMatchObject([
      201,
      { status: 'created', payment: null },
    ]);
    expect(created.ms).toBeLessThan(12_000);

    await oncepay.stack.startTemporal();
    for (const no of numbers) {
      await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
      expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
    }
    const { out_trade_no: no } = created.body as { out_trade_no: string };
    await oncepay.untilStatus(no, 'awaiting_payment', RECOVERY_MS);
  });

  test('a late payment reported while Temporal is down is refunded once', async () => {
    const { simulator } = oncepay;
    await setSetting(oncepay, 'payment_window', '2s');
    const no = await until('the short window counts', async () => {
      const one = await oncepay.newOrder();
      const { expires_at: at } = await oncepay.order(one);
      return Date.parse(at) < Date.now() + 2_000 ? one : null;
    });
    await setSetting(oncepay, 'payment_window', null);
    await oncepay.untilStatus(no, 'closed');
    await oncepay.stack.stopTemporal('SIGKILL');
    const { callback } = await simulator.pay({ outTradeNo: no, force: true, callbacks: 3 });
    const [again] = await simulator.notify({ outTradeNo: no, newId: true });
    expect([callback?.status, again?.status]).toEqual([204, 204]);
    expect((await oncepay.order(no)).status).toBe('closed');

    await oncepay.stack.startTemporal();
    const order = await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
    expect(order.history.map(({ to }) => to).slice(-3)).toEqual([
      'closed',
      'paid_late',
      'refunded',
    ]);
    expect(order).toMatchObject({ attention: null, effects: [], amount: { refunded: 300 } });
    await oncepay.untilOrder(no, 'every notice has its verdict', ({ notices }) =>
      notices.every(({ verdict }) => verdict !== null),
    );
    expect(simulator.refundsOf(no)).toMatchObject([{ status: 'SUCCESS', refundFen: 300 }]);
    const sent = simulator.requestsOf(no).filter(({ operation }) => operation === 'refund');
    expect(sent).toHaveLength(1);
    expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 0 });
  });

  test('a workflow terminated by hand comes back with the next callback', async () => {
    const no = await oncepay.newOrder();
    await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
    const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
    expect(callback?.status).toBe(204);
    await oncepay.untilStatus(no, 'fulfilled');
    await oncepay.simulator.notify({ outTradeNo: no });
    expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
  });

  test('a workflow terminated by hand comes back by itself at its next query', async () => {
    const no = await oncepay.newOrder();
    await oncepay.temporal.workflow.getHandle(no).terminate('by hand');
    await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
    await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
    expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
  });

  test.each([['unpaid'], ['fulfilled']])(
    'a workflow deleted from Temporal while %s: the callback is applied once',
    async (when) => {
      const no = await oncepay.newOrder();
      if (when === 'fulfilled') {
        await oncepay.simulator.pay({ outTradeNo: no });
        await oncepay.untilStatus(no, 'fulfilled');
        await oncepay.temporal.workflow.getHandle(no).result();
      }
      const { runId } = await oncepay.temporal.workflow.getHandle(no).describe();
      await oncepay.temporal.workflowService.deleteWorkflowExecution({
        namespace: 'default',
        workflowExecution: { workflowId: no, runId },
      });
      await until(
        'it is gone',
        async () => {
          const run = oncepay.temporal.workflow.getHandle(no, runId);
          return (await ifThere(run.describe())) === null ? true : null;
        },
        DELETION_MS,
      );
      const told =
        when === 'fulfilled'
          ? await oncepay.simulator.notify({ outTradeNo: no, newId: true })
          : [(await oncepay.simulator.pay({ outTradeNo: no })).callback];
      expect(told[0]?.status).toBe(204);
      await oncepay.untilOrder(
        no,
        'every notice has its verdict',
        ({ status, notices }) =>
          status === 'fulfilled' && notices.every(({ verdict }) => verdict !== null),
      );
      expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
    },
  );
});

describe('processes die or are stopped', () => {
  let oncepay: TestOncepay;
  beforeAll(async () => {
    oncepay = await startTestOncepay({ workers: 0 });
  });
  afterAll(() => oncepay.stop());

  test('a worker killed between payment and fulfilment: another one fulfils once', async () => {
    const worker = await oncepay.startWorker();
    const items = [{ sku: 'held', quantity: 2, unit_price: 150 }];
    await oncepay.call('PUT', '/v1/products/held', { body: { name: 'Held', kind: 'physical' } });
    const numbers = await Promise.all(Array.from({ length: 8 }, () => oncepay.newOrder({ items })));
    // Effects lock the products first: none can begin while this transaction has the lock.
    const holder = await oncepay.sql.connect();
    await holder.query('BEGIN');
    await holder.query(`SELECT 1 FROM products WHERE sku = 'held' FOR UPDATE`);
    await Promise.all(numbers.map((outTradeNo) => oncepay.simulator.pay({ outTradeNo })));
    const paid = async () => {
      const { rowCount } = await oncepay.sql.query(
        `SELECT 1 FROM orders WHERE out_trade_no = ANY($1) AND status = 'paid'`,
        [numbers],
      );
      return rowCount;
    };
    await until('all are paid', async () => ((await paid()) === numbers.length ? true : null));
    await worker.kill('SIGKILL');
    await holder.query('ROLLBACK');
    holder.release();
    expect(await paid()).toBe(numbers.length);
    const next = await oncepay.startWorker();
    for (const no of numbers) {
      await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
      expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
    }
    // Npm and supervisors send it twice; it counts once.
    await Promise.all([next.kill('SIGTERM'), next.kill('SIGTERM')]);
    expect(await next.exited).toBe(0);
  });

  test('an api that is stopped replies 204 or takes no callback, and none is lost', async () => {
    const worker = await oncepay.startWorker();
    const numbers = await Promise.all(Array.from({ length: 20 }, () => oncepay.newOrder()));
    const [api] = oncepay.apis;
    if (!api) throw new Error('no api');
    const pays = numbers.map((outTradeNo) => oncepay.simulator.pay({ outTradeNo, wait: true }));
    const reads = numbers.map((no) =>
      oncepay.call('GET', `/v1/orders/${no}`).then(
        ({ status }) => status,
        () => 'refused',
      ),
    );
    // The api stops while some callbacks have their reply and others are under way.
    await Promise.race(pays);
    await api.kill('SIGTERM');
    expect(await api.exited).toBe(0);
    const statuses = (await Promise.all(pays)).map(({ callback }) => callback?.status ?? null);
    const taken = numbers.filter((_no, index) => statuses[index] === 204);
    expect(taken).not.toEqual([]);
    // Later callbacks can't connect, and WeChat repeats them. That all accepted requests get their
    // reply is tested in api/http/server.test.ts.
    expect(statuses.every((status) => status === 204 || status === null)).toBe(true);
    expect(
      (await Promise.all(reads)).every((status) => status === 200 || status === 'refused'),
    ).toBe(true);
    const stored = await oncepay.sql.query<{ no: string }>(
      `SELECT out_trade_no AS no FROM notification_inbox WHERE out_trade_no = ANY($1)`,
      [numbers],
    );
    expect(stored.rows.map(({ no }) => no)).toEqual(expect.arrayContaining(taken));
    const second = await oncepay.startApi();
    await Promise.all(
      numbers.map((outTradeNo) =>
        oncepay.simulator.sendRaw({
          kind: 'payment',
          outTradeNo,
          notifyUrl: `http://127.0.0.1:${second.port}/callbacks/wechat`,
        }),
      ),
    );
    for (const no of numbers) {
      await until(
        `${no} is fulfilled`,
        async () => {
          const { body } = await oncepay.call('GET', `/v1/orders/${no}`, { port: second.port });
          return (body as { status?: string }).status === 'fulfilled' ? true : null;
        },
        RECOVERY_MS,
      );
      expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
    }
    await worker.kill('SIGTERM');
  });
});

describe('the database is down', () => {
  let oncepay: TestOncepay;
  let proxy: TcpProxy | undefined;
  beforeAll(async () => {
    oncepay = await startTestOncepay({
      through: async (databaseUrl) => {
        const url = new URL(databaseUrl);
        proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
        url.hostname = '127.0.0.1';
        url.port = String(proxy.port);
        return url.href;
      },
    });
  });
  afterAll(async () => {
    await oncepay.stop();
    await proxy?.close();
  });

  test.each(['refuse', 'hang'] as const)(
    'callbacks get 503 within 5 s (%s), and WeChat’s repeat delivers them',
    async (how) => {
      if (!proxy) throw new Error('no proxy');
      oncepay.simulator.setClockSpeed(15);
      const no = await oncepay.newOrder();
      if (how === 'refuse') await proxy.refuse();
      else proxy.hang();
      const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
      expect(callback?.status).toBe(503);
      expect(callback?.durationMs).toBeLessThan(5_000);
      const read = await oncepay.call('GET', `/v1/orders/${no}`);
      expect([read.status, read.body]).toMatchObject([503, { code: 'TEMPORARY_FAILURE' }]);
      expect(read.ms).toBeLessThan(5_000);
      const ready = await oncepay.call('GET', '/readyz');
      expect([ready.status, ready.body]).toMatchObject([503, { checks: { database: 'down' } }]);
      await proxy.pass();
      await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
      expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
      const tries = oncepay.simulator.deliveries(no);
      expect(tries.length).toBeGreaterThan(1);
      expect(tries.at(-1)?.status).toBe(204);
    },
  );

  test('many open orders: one alert, no intervention, no attempt spent, all go on', async () => {
    if (!proxy) throw new Error('no proxy');
    await setSetting(oncepay, 'query_schedule', '1s');
    await until('orders are queried after a second', async () => {
      const no = await oncepay.newOrder();
      const { rows } = await oncepay.sql.query<{ soon: boolean }>(
        `SELECT next_query_at - first_prepaid_at < interval '2 s' AS soon FROM orders
         WHERE out_trade_no = $1`,
        [no],
      );
      return rows[0]?.soon === true ? true : null;
    });
    const numbers = await Promise.all(Array.from({ length: MANY }, () => oncepay.newOrder()));
    const before = await untilBackAgain(oncepay);
    await proxy.refuse();
    // Each attempt fails without an intervention: the work is tried again.
    for (const no of numbers) await untilFailedTwice(oncepay, no);
    await proxy.pass();
    for (const outTradeNo of numbers) await oncepay.simulator.pay({ outTradeNo, callbacks: 0 });
    for (const no of numbers) {
      await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
      expect(await countEffects(oncepay.sql, no)).toEqual(ONCE);
    }
    const { rows } = await oncepay.sql.query<{ questions: number; budgets: number }>(
      `SELECT (SELECT count(*)::int FROM interventions) AS questions,
         (SELECT count(*)::int FROM retry_budgets) AS budgets`,
    );
    expect(rows).toEqual([{ questions: 0, budgets: 0 }]);
    const alerts = (await untilBackAgain(oncepay)).slice(before.length);
    expect(alerts).toEqual(['dependency_down', 'dependency_up']);
  });
});
