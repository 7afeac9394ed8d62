/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests what the patrol does about overdue rows and stale notices.
import { MAX_STUCK } from '../../../domain/patrol/findings';
import {
  someOrder,
  someRefund,
  someSharing,
  startTestPatrol,
  type TestPatrol,
} from '../support/patrol';

const OVERDUE = `now() - interval '2 minutes'`;

let patrol: TestPatrol;
beforeEach(async () => {
  patrol = await startTestPatrol();
});
afterEach(() => patrol.end());

const overdue = (kind: Parameters<TestPatrol['find']>[0]) => patrol.find(kind, 'patrolOverdue');

/** Wakes and stuck are a minute apart; the test turns the rows back instead of waiting. */
const wokenLongAgo = (table: 'orders' | 'refunds' | 'profit_sharings' | 'deliveries') =>
  patrol.sql.query(
    `UPDATE ${table} SET woken_at = woken_at - interval '61 seconds' WHERE woken_at IS NOT NULL`,
  );

async function someNotice(no: string | null, more = ''): Promise<string> {
  const { rows } = await patrol.sql.query<{ id: string }>(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, out_trade_no,
       content_hash, resource_encrypted, received_at, next_attempt_at)
     VALUES (gen_random_uuid(), 'm', gen_random_uuid(), 'payment', $1, 'h', 'e',
       now() - interval '3 minutes', now() + interval '1 hour') RETURNING id`,
    [no],
  );
  const id = rows[0]?.id ?? '';
  if (more !== '')
    await patrol.sql.query(`UPDATE notification_inbox SET ${more} WHERE id = $1`, [id]);
  return id;
}

test('several notices of one order have no verdict: its run is woken once a minute', async () => {
  const [no, other] = [await someOrder(patrol.sql), await someOrder(patrol.sql)];
  await someNotice(no);
  const last = await someNotice(no, `next_attempt_at = now() + interval '2 hours'`);
  await someNotice(other, `received_at = now() - interval '1 minute'`);
  await someNotice(other, `verdict = 'applied'`);
  await someNotice(other, `undeliverable_at = now()`);
  await someNotice(other, `lease_until = now() + interval '20 seconds'`);
  const found = await patrol.find('notice_without_verdict', 'patrolInbox');
  expect(found).toMatchObject({ found: 3, healed: 2, opened: 0, left: 1, sample: [no, other] });
  expect(patrol.woken).toEqual([`${no} ${last}`]);

  expect(await patrol.find('notice_without_verdict', 'patrolInbox')).toMatchObject({ left: 3 });
  patrol.laterMs = 61_000;
  await patrol.find('notice_without_verdict', 'patrolInbox');
  expect(new Set(patrol.woken.slice(1).map((text) => text.slice(0, 22)))).toEqual(
    new Set([no, other]),
  );
});

test('an overdue order is woken first; then an intervention is opened', async () => {
  const no = await someOrder(patrol.sql, { status: 'awaiting_payment', dueAt: OVERDUE });
  await someOrder(patrol.sql, { status: 'paid', dueAt: `now() - interval '30 seconds'` });
  expect(await overdue('order_overdue')).toEqual({
    kind: 'order_overdue',
    found: 1,
    healed: 1,
    opened: 0,
    left: 0,
    sample: [no],
  });
  expect(patrol.woken).toEqual([`${no} patrol`]);
  expect(await overdue('order_overdue')).toMatchObject({ healed: 0, opened: 0, left: 1 });

  await wokenLongAgo('orders');
  expect(await overdue('order_overdue')).toMatchObject({ healed: 0, opened: 1, left: 0 });
  const { rows } = await patrol.sql.query<{ due_at: Date; woken_at: Date }>(
    `SELECT due_at, woken_at FROM orders WHERE out_trade_no = $1`,
    [no],
  );
  expect(await patrol.open(no)).toEqual([
    {
      reason: 'stuck',
      subject: 'run',
      evidence: {
        status: 'awaiting_payment',
        due_at: rows[0]?.due_at.toISOString(),
        woken_at: rows[0]?.woken_at.toISOString(),
        run: { workflow_id: no, status: 'RUNNING' },
      },
    },
  ]);
  expect(await overdue('order_overdue')).toMatchObject({ healed: 0, opened: 0, left: 1 });
  // The run is woken again after the intervention was opened, so that it shows it.
  expect(patrol.woken).toEqual([`${no} patrol`, `${no} patrol`]);
});

test('an order moves on after its wake and is overdue again later: it is woken again', async () => {
  const no = await someOrder(patrol.sql, { status: 'awaiting_payment', dueAt: OVERDUE });
  await overdue('order_overdue');
  await wokenLongAgo('orders');
  await patrol.sql.query(`UPDATE orders SET due_at = now() + interval '1 minute'`);
  expect(await overdue('order_overdue')).toBeNull();
  await patrol.sql.query(`UPDATE orders SET due_at = ${OVERDUE}`);
  expect(await overdue('order_overdue')).toMatchObject({ healed: 1, opened: 0 });
  expect(patrol.woken).toEqual([`${no} patrol`, `${no} patrol`]);
});

test('a stuck run moves on by itself: its intervention ends, and the run is woken', async () => {
  const no = await someOrder(patrol.sql, { status: 'paid', dueAt: OVERDUE });
  const refundNo = await someRefund(patrol.sql, no, { dueAt: OVERDUE });
  const id = `${no}:order.paid`;
  await patrol.sql.query(
    `INSERT INTO deliveries (id, kind, out_trade_no, event, payload, next_attempt_at)
     VALUES ($1, 'webhook', $2, 'order.paid', '{}', now() - interval '6 minutes')`,
    [id, no],
  );
  await overdue('order_overdue');
  for (const table of ['orders', 'refunds', 'deliveries'] as const) await wokenLongAgo(table);
  await overdue('order_overdue');
  const subjects = async () => (await patrol.open(no)).map(({ subject }) => subject);
  expect(await subjects()).toEqual([`delivery:${id}`, `refund:${refundNo}`, 'run']);
  expect(await overdue('stuck_moved_on')).toBeNull();

  patrol.woken.length = 0;
  await patrol.sql.query(`UPDATE orders SET due_at = now() + interval '1 minute'`);
  expect(await overdue('stuck_moved_on')).toMatchObject({ found: 1, healed: 1, sample: [no] });
  expect([await subjects(), patrol.woken]).toEqual([
    [`delivery:${id}`, `refund:${refundNo}`],
    [`${no} patrol`],
  ]);
  await patrol.sql.query(`UPDATE refunds SET due_at = NULL`);
  await patrol.sql.query(`UPDATE deliveries SET status = 'done'`);
  expect(await overdue('stuck_moved_on')).toMatchObject({ healed: 2, sample: [no] });
  const { rows } = await patrol.sql.query(`SELECT DISTINCT status, resolution FROM interventions`);
  expect(rows).toEqual([{ status: 'resolved', resolution: 'moot' }]);
});

test.each([
  ['dismiss', 'now()', 0],
  ['dismiss', `now() - interval '1 hour'`, 0],
  ['retry', 'now()', 0],
  ['retry', `now() - interval '61 seconds'`, 1],
])(
  'a stuck run was resolved by %s at %s: %p interventions are opened again',
  async (action, at, opened) => {
    const no = await someOrder(patrol.sql, { status: 'paid', dueAt: OVERDUE });
    await overdue('order_overdue');
    await wokenLongAgo('orders');
    await overdue('order_overdue');
    await patrol.sql.query(
      `UPDATE interventions SET status = 'resolved', resolution = $1, resolved_at = ${at}`,
      [action],
    );
    expect(await overdue('order_overdue')).toMatchObject({ opened, left: 1 - opened });
    // Another due time opens another intervention.
    await patrol.sql.query(`UPDATE orders SET due_at = due_at - interval '1 second'`);
    await patrol.sql.query(
      `UPDATE interventions SET status = 'resolved', resolved_at = now() - interval '2 minutes'`,
    );
    await overdue('order_overdue');
    await wokenLongAgo('orders');
    expect(await overdue('order_overdue')).toMatchObject({ opened: 1 });
    expect(await patrol.open(no)).toHaveLength(1);
  },
);

test('an overdue refund wakes its run, then opens an intervention', async () => {
  const no = await someOrder(patrol.sql);
  const refundNo = await someRefund(patrol.sql, no, { dueAt: OVERDUE });
  expect(await overdue('refund_overdue')).toMatchObject({ healed: 1, sample: [refundNo] });
  expect(patrol.woken).toEqual([`refund/${refundNo}`]);
  await wokenLongAgo('refunds');
  expect(await overdue('refund_overdue')).toMatchObject({ opened: 1 });
  expect(await patrol.open(no)).toMatchObject([
    {
      reason: 'stuck',
      subject: `refund:${refundNo}`,
      evidence: { status: 'processing', run: { workflow_id: `refund/${refundNo}` } },
    },
  ]);
});

test('an overdue sharing wakes its run, opens an intervention, and moves on', async () => {
  const no = await someOrder(patrol.sql);
  const sharingNo = await someSharing(patrol.sql, no, { dueAt: OVERDUE });
  await someSharing(patrol.sql, no, { dueAt: `now() + interval '1 day'` });
  expect(await overdue('sharing_overdue')).toMatchObject({ healed: 1, sample: [sharingNo] });
  expect(patrol.woken).toEqual([`sharing/${sharingNo}`]);
  await wokenLongAgo('profit_sharings');
  expect(await overdue('sharing_overdue')).toMatchObject({ opened: 1 });
  expect(await patrol.open(no)).toMatchObject([
    {
      reason: 'stuck',
      subject: `sharing:${sharingNo}`,
      evidence: { status: 'processing', run: { workflow_id: `sharing/${sharingNo}` } },
    },
  ]);
  await patrol.sql.query(`UPDATE profit_sharings SET due_at = NULL`);
  expect(await overdue('stuck_moved_on')).toMatchObject({ healed: 1 });
  expect(await patrol.open(no)).toEqual([]);
});

test('an overdue delivery wakes its order, and again for its next attempt', async () => {
  const no = await someOrder(patrol.sql);
  const id = `${no}:order.paid`;
  await patrol.sql.query(
    `INSERT INTO deliveries (id, kind, out_trade_no, event, payload, next_attempt_at)
     VALUES ($1, 'webhook', $2, 'order.paid', '{}', now() - interval '4 minutes')`,
    [id, no],
  );
  expect(await overdue('delivery_overdue')).toBeNull();
  patrol.laterMs = 61_000;
  expect(await overdue('delivery_overdue')).toMatchObject({ healed: 1, sample: [id] });
  expect(patrol.woken).toEqual([`${no} patrol`]);
  expect(await overdue('delivery_overdue')).toMatchObject({ healed: 0, left: 1 });

  // The attempt was made and failed, and its next one is not made.
  patrol.laterMs = 10 * 60_000;
  await patrol.sql.query(`UPDATE deliveries SET next_attempt_at = now() + interval '3 minutes'`);
  expect(await overdue('delivery_overdue')).toMatchObject({ healed: 1, opened: 0 });
  patrol.laterMs += 61_000;
  expect(await overdue('delivery_overdue')).toMatchObject({ healed: 0, opened: 1 });
  expect(await patrol.open(no)).toMatchObject([{ reason: 'stuck', subject: `delivery:${id}` }]);
});

test.each([
  ['created', null, 1],
  ['awaiting_payment', null, 1],
  ['paid', null, 1],
  ['paid', 'no_codes', 0],
  ['created', 'wechat_failed', 1],
  ['fulfilled', null, 0],
  ['closed', null, 0],
])(
  'a %s order without due_at and with the intervention %p gets a due time: %p',
  async (status, reason, healed) => {
    const no = await someOrder(patrol.sql, { status });
    if (reason !== null) {
      await patrol.sql.query(
        `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
       VALUES (gen_random_uuid(), $1, $1, $2, 'x', '{}')`,
        [no, reason],
      );
    }
    const found = await overdue('order_created_unattended');
    expect(found?.healed ?? 0).toBe(healed);
    const { rows } = await patrol.sql.query(`SELECT due_at <= now() AS due FROM orders`);
    expect(rows).toEqual([{ due: healed === 1 ? true : null }]);
  },
);

test('a paid order waits for its refund with cancelled effects: it gets no due time', async () => {
  await someOrder(patrol.sql, { status: 'paid' });
  await patrol.sql.query(`UPDATE order_effects SET status = 'cancelled'`);
  expect(await overdue('order_created_unattended')).toBeNull();
});

test('a new order without due_at is left alone for a minute', async () => {
  await someOrder(patrol.sql, { status: 'created' });
  await patrol.sql.query(`UPDATE orders SET created_at = now() - interval '50 seconds'`);
  expect(await overdue('order_created_unattended')).toBeNull();
});

describe('an outage', () => {
  async function stuckOrders(count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      await someOrder(patrol.sql, { status: 'awaiting_payment', dueAt: OVERDUE });
    }
    await overdue('order_overdue');
    await wokenLongAgo('orders');
  }
  const questions = async () =>
    (await patrol.sql.query<{ n: number }>(`SELECT count(*)::int AS n FROM interventions`)).rows;

  test('more rows are stuck than people can resolve: one alert, and no interventions', async () => {
    await stuckOrders(MAX_STUCK + 10);
    expect(await overdue('order_overdue')).toMatchObject({
      found: MAX_STUCK + 10,
      opened: 0,
      left: MAX_STUCK + 10,
    });
    await overdue('order_overdue');
    expect([patrol.outages, await questions()]).toEqual([['workers_overdue down'], [{ n: 0 }]]);
    await patrol.sql.query(
      `UPDATE orders SET due_at = NULL
       WHERE out_trade_no IN (SELECT out_trade_no FROM orders LIMIT 10)`,
    );
    // The last of them may go on by themselves until the next patrol.
    expect(await overdue('order_overdue')).toMatchObject({ opened: 0, left: MAX_STUCK });
    expect(patrol.outages).toEqual(['workers_overdue down', 'workers_overdue up']);
    expect(await overdue('order_overdue')).toMatchObject({ opened: MAX_STUCK, left: 0 });
  });

  test.each([
    ['down for an hour', 0, 'down', `interval '1 hour'`],
    ['up again since some seconds', 0, 'up', `interval '10 seconds'`],
    ['up again since a minute', 1, 'up', `interval '61 seconds'`],
  ])('Temporal is %s: a stuck order opens %p interventions', async (_, opened, state, age) => {
    await stuckOrders(1);
    await patrol.sql.query(
      `UPDATE dependencies SET state = $1, since = now() - ${age} WHERE name = 'temporal'`,
      [state],
    );
    expect(await overdue('order_overdue')).toMatchObject({ opened });
  });

  test('Temporal is down: all rows stay as they are', async () => {
    await someOrder(patrol.sql, { status: 'awaiting_payment', dueAt: OVERDUE });
    patrol.temporalAway = true;
    expect(await overdue('order_overdue')).toMatchObject({ healed: 0, left: 1 });
    patrol.temporalAway = false;
    expect(await overdue('order_overdue')).toMatchObject({ healed: 1, left: 0 });
  });
});
