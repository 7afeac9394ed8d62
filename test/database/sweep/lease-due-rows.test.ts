/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the leases of the sweep on notices, orders, refunds and resolutions.
import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

const START_MS = Date.parse('2026-01-01T12:00:00Z');
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const TRIES = 20;

let database: TestDatabase;
let sql: Pool;
/** Two processes of the api, as the database sees them. */
let one: Database;
let two: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Pool({ connectionString: database.url, max: 3 });
  const open = () => openDatabase({ url: database.url, ...secrets, webhooks: false });
  [one, two] = [open(), open()];
});
afterAll(async () => {
  await Promise.all([one.end(), two.end(), sql.end()]);
  await database.drop();
});
beforeEach(async () => {
  await sql.query(
    `TRUNCATE notification_inbox, orders, interventions, intervention_resolutions, refunds,
       payment_transactions CASCADE`,
  );
});

/** A text as long as an order number that begins with `start`. */
const numberOf = (start: string) => start.padEnd(22, '0');

/** A notice that came `atMs`; the sweep looks for it 15 s later. */
async function addNotice(
  atMs: number,
  outTradeNo: string | null = numberOf('NO1'),
): Promise<string> {
  const id = randomUUID();
  await sql.query(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, out_trade_no,
       content_hash, resource_encrypted, received_at, next_attempt_at)
     VALUES ($1::uuid, 'm', $1::text, 'payment', $2, 'h', 'r', $3, $4)`,
    [id, outTradeNo, new Date(atMs), new Date(atMs + 15 * SECOND_MS)],
  );
  return id;
}

async function addOrder(start: string, dueAtMs: number | null): Promise<void> {
  await sql.query(
    `INSERT INTO orders (out_trade_no, channel, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at, due_at)
     VALUES ($1, 'admin', 'u', 'd', 300, 'wx1', 'm', 'https://x.example',
       '2026-01-01T12:31:00+08:00', now(), $2)`,
    [numberOf(start), dueAtMs === null ? null : new Date(dueAtMs)],
  );
}

const idsOf = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);
/** The first characters of the numbers. */
const numbersOf = (rows: readonly { outTradeNo: string }[]) =>
  rows.map(({ outTradeNo }) => outTradeNo.replace(/0+$/, ''));

describe('inbox rows', () => {
  test('notices are leased oldest first, and returned ones keep their place', async () => {
    const third = await addNotice(START_MS + 2 * SECOND_MS);
    const first = await addNotice(START_MS);
    const second = await addNotice(START_MS + SECOND_MS);
    const nowMs = START_MS + 60 * SECOND_MS;
    const leased = await one.overdue.leaseNotices(2, nowMs);
    expect(idsOf(leased)).toEqual([first, second]);
    await one.overdue.returnNotices(leased);
    expect(idsOf(await two.overdue.leaseNotices(3, nowMs))).toEqual([first, second, third]);
  });

  test('new notices are leased early only while others wait, and only once', async () => {
    const id = await addNotice(START_MS);
    const nowMs = START_MS + SECOND_MS;
    expect(await one.overdue.leaseNotices(10, nowMs)).toEqual([]);
    expect(idsOf(await one.overdue.leaseNotices(10, nowMs, true))).toEqual([id]);
    expect(await one.overdue.leaseNotices(10, nowMs + 20 * SECOND_MS, true)).toEqual([]);
  });

  test('notices without an order number are never leased', async () => {
    await addNotice(START_MS, null);
    expect(await one.overdue.leaseNotices(10, START_MS + HOUR_MS, true)).toEqual([]);
    expect(await one.overdue.spentNotices(10, START_MS + HOUR_MS)).toEqual([]);
  });

  test('a notice is returned because Temporal is down: the try does not count', async () => {
    const id = await addNotice(START_MS);
    for (let n = 0; n < 2 * TRIES; n += 1) {
      const leased = await one.overdue.leaseNotices(10, START_MS + n * HOUR_MS + HOUR_MS);
      expect(idsOf(leased)).toEqual([id]);
      await one.overdue.returnNotices(leased);
    }
    const { rows } = await sql.query('SELECT attempts, lease_until FROM notification_inbox');
    expect(rows).toEqual([{ attempts: 0, lease_until: null }]);
  });

  test.each([true, false])(
    'a notice woke its run twenty times in vain: an intervention is opened (our order: %p)',
    async (ours) => {
      const no = numberOf('NO1');
      if (ours) await addOrder('NO1', null);
      const stuck = await addNotice(START_MS);
      let nowMs = START_MS + HOUR_MS;
      for (let n = 0; n < TRIES; n += 1) {
        expect(idsOf(await one.overdue.leaseNotices(10, nowMs))).toEqual([stuck]);
        expect(await one.overdue.spentNotices(10, nowMs)).toEqual([]);
        nowMs += HOUR_MS;
      }
      const other = await addNotice(START_MS, 'NO2');
      expect(idsOf(await one.overdue.leaseNotices(10, nowMs))).toEqual([other]);
      const spent = await one.overdue.spentNotices(10, nowMs);
      expect(idsOf(spent)).toEqual([stuck]);

      // Both processes find it; one of them is first.
      const given = await Promise.all(
        [one, two].flatMap((by) => spent.map((row) => by.overdue.escalateNotice(row, nowMs))),
      );
      expect(given.sort()).toEqual([false, true]);
      const { rows } = await sql.query(
        `SELECT i.out_trade_no, i.order_no, i.reason, i.subject, i.status, i.evidence,
           n.undeliverable_at FROM interventions i, notification_inbox n WHERE n.id = $1`,
        [stuck],
      );
      expect(rows).toEqual([
        {
          out_trade_no: no,
          order_no: ours ? no : null,
          reason: 'undeliverable',
          subject: `notice:${stuck}`,
          status: 'open',
          evidence: {
            source: 'callback',
            notification_id: stuck,
            why: 'no_verdict',
            attempts: TRIES,
            received_at: new Date(START_MS).toISOString(),
          },
          undeliverable_at: new Date(nowMs),
        },
      ]);
      expect(await one.overdue.spentNotices(10, nowMs + HOUR_MS)).toEqual([]);
      expect(idsOf(await one.overdue.leaseNotices(10, nowMs + HOUR_MS, true))).toEqual([other]);
    },
  );

  test('a notice gets its verdict before its escalation: no intervention is opened', async () => {
    const id = await addNotice(START_MS);
    await sql.query(`UPDATE notification_inbox SET verdict = 'applied', verdict_at = now()`);
    expect(await one.overdue.escalateNotice({ id, outTradeNo: 'NO1' }, START_MS)).toBe(false);
    expect((await sql.query('SELECT 1 FROM interventions')).rowCount).toBe(0);
  });

  test('inbox lag: the number of open notices and the age of the oldest', async () => {
    expect(await one.inbox.open()).toEqual({ count: 0, oldestReceivedAt: null });
    const lost = await addNotice(START_MS);
    await addNotice(START_MS + SECOND_MS);
    await sql.query(`UPDATE notification_inbox SET undeliverable_at = now() WHERE id = $1`, [lost]);
    expect(await one.inbox.open()).toEqual({
      count: 2,
      oldestReceivedAt: new Date(START_MS + SECOND_MS),
    });
  });
});

describe('orders', () => {
  test('a leased order keeps its due_at, and nobody else leases it meanwhile', async () => {
    await addOrder('B', START_MS + SECOND_MS);
    await addOrder('A', START_MS);
    await addOrder('LATER', START_MS + HOUR_MS);
    await addOrder('REST', null);
    const nowMs = START_MS + 60 * SECOND_MS;
    expect(numbersOf(await one.overdue.leaseOrders(10, nowMs))).toEqual(['A', 'B']);
    expect(await two.overdue.leaseOrders(10, nowMs + 29 * SECOND_MS)).toEqual([]);
    const { rows } = await sql.query(`SELECT due_at FROM orders WHERE out_trade_no LIKE 'A%'`);
    expect(rows).toEqual([{ due_at: new Date(START_MS) }]);
    expect(numbersOf(await two.overdue.leaseOrders(10, nowMs + 30 * SECOND_MS))).toEqual([
      'A',
      'B',
    ]);
  });

  test('two processes lease at once: each order is leased once', async () => {
    for (let n = 0; n < 40; n += 1) await addOrder(`N${n}X`, START_MS + n);
    const nowMs = START_MS + HOUR_MS;
    const leased = await Promise.all([one, two].map((by) => by.overdue.leaseOrders(40, nowMs)));
    const numbers = leased.flatMap(numbersOf);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test('orders that are returned, or whose due_at moves, can be leased again', async () => {
    await addOrder('A', START_MS);
    const nowMs = START_MS + SECOND_MS;
    await one.overdue.returnOrders(await one.overdue.leaseOrders(10, nowMs));
    expect(numbersOf(await one.overdue.leaseOrders(10, nowMs))).toEqual(['A']);
    await sql.query(`UPDATE orders SET due_at = $1`, [new Date(nowMs + SECOND_MS)]);
    expect(numbersOf(await one.overdue.leaseOrders(10, nowMs + SECOND_MS))).toEqual(['A']);
  });
});

async function addRefund(no: string, status: string, dueAtMs: number | null): Promise<void> {
  const key = randomUUID();
  await sql.query(
    `INSERT INTO payment_transactions (id, provider, merchant_id, transaction_id, out_trade_no,
       status, trade_state, total_fen)
       VALUES ($1::uuid, 'wechatpay', 'm', $1::text, 'NO1', 'rejected',
       'SUCCESS', 300)`,
    [key],
  );
  await sql.query(
    `INSERT INTO refunds (out_refund_no, out_trade_no, transaction_key, merchant_id,
       transaction_id, amount_fen, total_fen, currency, notify_url, origin, status, due_at)
     VALUES ($1, 'NO1', $2::uuid, 'm', $2::text, 300, 300, 'CNY', 'https://x.example', 'api', $3,
       $4)`,
    [no, key, status, dueAtMs === null ? null : new Date(dueAtMs)],
  );
}

test('due refunds are leased like orders, whatever their status', async () => {
  await addRefund('r2', 'processing', START_MS + SECOND_MS);
  await addRefund('r1', 'pending', START_MS);
  await addRefund('r3', 'closed', START_MS + 2 * SECOND_MS);
  await addRefund('done', 'succeeded', null);
  await addRefund('later', 'pending', START_MS + HOUR_MS);
  const nowMs = START_MS + 60 * SECOND_MS;
  const leased = await one.overdue.leaseRefunds(10, nowMs);
  expect(leased).toEqual([{ outRefundNo: 'r1' }, { outRefundNo: 'r2' }, { outRefundNo: 'r3' }]);
  expect(await two.overdue.leaseRefunds(10, nowMs)).toEqual([]);
  const { rows } = await sql.query(`SELECT due_at FROM refunds WHERE out_refund_no = 'r1'`);
  expect(rows).toEqual([{ due_at: new Date(START_MS) }]);
  await one.overdue.returnRefunds(leased);
  expect(await two.overdue.leaseRefunds(10, nowMs)).toEqual(leased);
});

async function addResolution(no: string, status: string, nextAtMs: number): Promise<string> {
  const [id, intervention] = [randomUUID(), randomUUID()];
  await sql.query(
    `INSERT INTO interventions (id, out_trade_no, reason, subject, evidence, since)
     VALUES ($1, $2, 'stuck', 'run', '{}', now())`,
    [intervention, no],
  );
  await sql.query(
    `INSERT INTO intervention_resolutions (id, intervention_id, out_trade_no, action, params_hash,
       note, status, proposed_at, approved_at, next_attempt_at)
     VALUES ($1, $2, $3, 'retry', 'h', 'n', $4, now(), $5, $5)`,
    [id, intervention, no, status, new Date(nextAtMs)],
  );
  return id;
}

test('approved resolutions are leased with their reason until they are carried out', async () => {
  const second = await addResolution('NO2', 'approved', START_MS + SECOND_MS);
  const first = await addResolution('NO1', 'approved', START_MS);
  await addResolution('NO3', 'proposed', START_MS);
  await addResolution('NO4', 'done', START_MS);
  await addResolution('NO5', 'approved', START_MS + HOUR_MS);
  const nowMs = START_MS + 60 * SECOND_MS;
  const expected = [
    { id: first, outTradeNo: 'NO1', reason: 'stuck', subject: 'run' },
    { id: second, outTradeNo: 'NO2', reason: 'stuck', subject: 'run' },
  ];
  const leased = await one.overdue.leaseResolutions(10, nowMs);
  expect(leased).toEqual(expected);
  expect(await two.overdue.leaseResolutions(10, nowMs + 29 * SECOND_MS)).toEqual([]);
  await one.overdue.returnResolutions(leased, nowMs);
  expect(await two.overdue.leaseResolutions(10, nowMs)).toEqual(expected);
  expect(await one.overdue.leaseResolutions(10, nowMs + 30 * SECOND_MS)).toEqual(expected);
});
