/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests that the patrol reads few rows, however many orders there are.
import { DEFAULT_SHARING } from '../../../domain/settings/runtime-settings';
import { z } from 'zod';
import { createFieldCipher } from '../../../database/encryption/field-encryption';
import { createKeyedHash } from '../../../database/encryption/keyed-hash';
import { createPatrol, inUtc, PrismaClient, PrismaPg } from '../support/built';
import { someOrder, startTestPatrol, type TestPatrol } from '../support/patrol';
import { secrets } from '../support/secrets';

/** Old orders without violations, and the rows that belong to them. */
const ORDERS = 50_000;
/** Old rows that a statement may read for each number that it checks. */
const MAX_ROWS = 5_000;

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
  const { sql } = patrol;
  const old = (n: string) => `now() - interval '60 days' + ${n} * interval '1 second'`;
  // A thousand orders were paid on each of fifty days, a minute apart.
  const paid = (n: string) =>
    `timestamptz '2025-01-01 00:00+08' + ${n} / 1000 * interval '1 day'
      + ${n} % 1000 * interval '1 minute'`;
  await sql.query(
    `INSERT INTO products (sku, name, kind, stock)
     SELECT 's' || n, 's', 'physical', 100 FROM generate_series(0, 9) n`,
  );
  await sql.query(
    `INSERT INTO orders (out_trade_no, channel, status, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at, created_at, refunded_fen, paid_at)
     SELECT '2025010104' || lpad(n::text, 12, '0'), 'admin', 'refunded', 'user-' || n % 5000, 'x',
       300, 'a', 'm', 'n', 't', now(), ${old('n')}, 300, ${paid('n')}
     FROM generate_series(1, ${ORDERS}) n`,
  );
  const each = (columns: string, values: string) =>
    sql.query(`INSERT INTO ${columns} SELECT ${values} FROM orders o`);
  await each(
    `order_status_history (out_trade_no, to_status, cause, at)`,
    `out_trade_no, 'fulfilled', 'x', created_at`,
  );
  await each(
    `payment_transactions (id, merchant_id, transaction_id, out_trade_no, order_no, status,
      trade_state, total_fen, held_fen, refunded_fen)`,
    `gen_random_uuid(), 'm', out_trade_no, out_trade_no, out_trade_no, 'applied', 'SUCCESS',
      300, 300, 300`,
  );
  await sql.query(
    `INSERT INTO refunds (out_refund_no, out_trade_no, order_no, transaction_key, merchant_id,
       transaction_id, amount_fen, total_fen, currency, notify_url, origin, status, created_at,
       succeeded_at)
     SELECT out_trade_no, out_trade_no, out_trade_no, t.id, 'm', transaction_id, 300, 300,
       'CNY', 'n',
       'api', 'succeeded', o.created_at, o.created_at
     FROM payment_transactions t JOIN orders o USING (out_trade_no)`,
  );
  // Each was shared once, and waits for its deadline.
  await sql.query(
    `INSERT INTO profit_sharings (out_order_no, out_trade_no, transaction_key, merchant_id, app_id,
       transaction_id, kind, description, origin, content_hash, status, not_before, due_at,
       created_at)
     SELECT k.origin || out_trade_no, out_trade_no, t.id, 'm', 'a', transaction_id, k.kind, 'x',
       k.origin, 'h', k.status, o.created_at, k.due_at, o.created_at
     FROM payment_transactions t JOIN orders o USING (out_trade_no) CROSS JOIN (VALUES
       ('share', 'api', 'finished', NULL::timestamptz),
       ('unfreeze', 'deadline', 'pending', now() + interval '29 days')
     ) k (kind, origin, status, due_at)`,
  );
  await sql.query(
    `INSERT INTO profit_sharing_receivers (id, out_order_no, line, type, account_encrypted,
       account_hash, relation_type, amount_fen, description, result)
     SELECT gen_random_uuid(), out_order_no, 1, 'MERCHANT_ID', 'e', 'h', 'PARTNER', 10, 'x',
       'CLOSED'
     FROM profit_sharings WHERE kind = 'share'`,
  );
  await each(
    `order_items (out_trade_no, line, sku, quantity, unit_price_fen, kind)`,
    `out_trade_no, 1, 's' || right(out_trade_no, 1), 1, 300, 'physical'`,
  );
  // All of it was taken off again.
  await sql.query(
    `INSERT INTO sales_statistics (day, sku)
     SELECT DISTINCT to_char(paid_at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD'), sku
     FROM orders JOIN order_items USING (out_trade_no)`,
  );
  const names = ['points', 'sales'].flatMap((one) => [
    `'${one}'`,
    `'${one}_back:' || out_trade_no`,
  ]);
  for (const effect of names) {
    await each(`order_effects (out_trade_no, effect, status)`, `out_trade_no, ${effect}, 'done'`);
  }
  await each(
    `points_entries (user_id, out_trade_no, effect, delta)`,
    `user_id, out_trade_no, 'points', 3`,
  );
  await sql.query(
    `INSERT INTO points_balances SELECT user_id, sum(delta) FROM points_entries GROUP BY user_id`,
  );
  await each(
    `stock_reservations (out_trade_no, sku, quantity, status)`,
    `out_trade_no, 's' || right(out_trade_no, 1), 1, 'taken'`,
  );
  await each(
    `deliveries (id, kind, out_trade_no, event, payload, status, next_attempt_at)`,
    `out_trade_no, 'webhook', out_trade_no, 'order.paid', '{}', 'done', created_at`,
  );
  await each(
    `notification_inbox (id, merchant_id, notification_id, kind, out_trade_no, content_hash,
      resource_encrypted, received_at, next_attempt_at, verdict)`,
    `gen_random_uuid(), 'm', out_trade_no, 'payment', out_trade_no, 'h', 'e', created_at,
      created_at, 'applied'`,
  );
  await each(
    `interventions (id, out_trade_no, order_no, reason, subject, evidence, status)`,
    `gen_random_uuid(), out_trade_no, out_trade_no, 'stuck', 'run', '{}', 'resolved'`,
  );
  await sql.query('ANALYZE');
}, 120_000);
afterAll(() => patrol.end());

interface Plan {
  'Node Type': string;
  'Relation Name'?: string | undefined;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number | undefined;
  Plans?: Plan[] | undefined;
}
const plan: z.ZodType<Plan> = z.object({
  'Node Type': z.string(),
  'Relation Name': z.string().optional(),
  'Actual Rows': z.number(),
  'Actual Loops': z.number(),
  'Rows Removed by Filter': z.number().optional(),
  Plans: z.array(z.lazy(() => plan)).optional(),
});
const explained = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: plan })]) })]);
const nodesOf = (node: Plan): Plan[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** Tables that grow with every order. */
const OF_THE_PAST = [
  'orders',
  'order_status_history',
  'payment_transactions',
  'refunds',
  'profit_sharings',
  'profit_sharing_receivers',
  'order_items',
  'order_effects',
  'points_entries',
  'stock_reservations',
  'deliveries',
  'notification_inbox',
  'interventions',
];

/** The rows of those tables that the statements of `work` read, as PostgreSQL executed them. */
async function readsOf(
  work: (rows: ReturnType<typeof createPatrol>) => Promise<unknown>,
): Promise<{ table: string; node: string; rows: number }[]> {
  const prisma = new PrismaClient({
    adapter: new PrismaPg(inUtc(patrol.url)),
    log: [{ emit: 'event', level: 'query' }],
  });
  const sent: { query: string; params: string }[] = [];
  prisma.$on('query', (event) => sent.push(event));
  await work(
    createPatrol({
      prisma,
      limitRows: (_rows, work) => work(),
      cipher: createFieldCipher(secrets.encryptionKeys),
      unreadable: { report: () => undefined, log: () => undefined },
      hash: createKeyedHash(secrets.hashKey),
      webhooks: false,
      notifyUrl: secrets.notifyUrl,
      sharing: DEFAULT_SHARING,
      twoPersonFen: 100_000,
    }),
  );
  await prisma.$disconnect();
  const reads = [];
  for (const { query, params } of sent.filter((one) =>
    /^\s*(SELECT|UPDATE|DELETE)/.test(one.query),
  )) {
    const { rows } = await patrol.sql.query(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${query}`,
      z.array(z.unknown()).parse(JSON.parse(params)),
    );
    const [
      {
        'QUERY PLAN': [{ Plan: top }],
      },
    ] = explained.parse(rows);
    for (const node of nodesOf(top)) {
      const table = node['Relation Name'];
      if (table === undefined || !OF_THE_PAST.includes(table)) continue;
      const each = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0);
      reads.push({ table, node: node['Node Type'], rows: each * node['Actual Loops'] });
    }
  }
  expect(reads.length).toBeGreaterThan(0);
  return reads;
}

function expectCheap(reads: { table: string; node: string; rows: number }[]): void {
  expect(reads.filter(({ node }) => node === 'Seq Scan')).toEqual([]);
  expect(reads.filter(({ rows }) => rows > MAX_ROWS)).toEqual([]);
}

test.each(['order_overdue', 'refund_overdue', 'sharing_overdue', 'delivery_overdue'] as const)(
  'finding %s rows reads the overdue rows only',
  async (kind) => {
    await patrol.sql.query(
      `UPDATE orders SET due_at = now() - interval '5 minutes', status = 'paid'
       WHERE out_trade_no LIKE '%00077'`,
    );
    const reads = await readsOf((rows) => rows.overdue.find(kind, Date.now()));
    expectCheap(reads);
    await patrol.sql.query(`UPDATE orders SET due_at = NULL, status = 'refunded'
      WHERE out_trade_no LIKE '%00077'`);
  },
);

test('finding stale notices and unattended orders reads those rows only', async () => {
  await someOrder(patrol.sql, { status: 'created', user: 'new' });
  expectCheap(await readsOf((rows) => rows.notices.find(Date.now())));
  expectCheap(await readsOf((rows) => rows.overdue.makeUnattendedDue(Date.now())));
  expectCheap(await readsOf((rows) => rows.overdue.endMoved(Date.now())));
});

test('checking changed orders and one slice reads a few rows for each order', async () => {
  const start = { id: 'x', sinceMs: Date.now() - 600_000 };
  const { rows } = await patrol.sql.query<{ last: string }>(
    `SELECT (max(id) - 100)::text AS last FROM order_status_history`,
  );
  const position = { history: rows[0]?.last ?? '', order: '2025010104000000020000' };
  let found: unknown;
  const reads = await readsOf(async ({ invariants }) => {
    found = await invariants.check({ ...start, position }, Date.now() + 60_000, Date.now);
  });
  expect(found).toMatchObject({
    findings: [],
    position: { order: '2025010104000000021000' },
  });
  expectCheap(reads);
});

test('comparing the sales of a day reads the orders of that day alone', async () => {
  const start = { id: 'x', sinceMs: Date.now() };
  const { rows } = await patrol.sql.query<{ last: string }>(
    `SELECT max(id)::text AS last FROM order_status_history`,
  );
  const sales = { day: '20250120', sku: 's3' };
  const position = { history: rows[0]?.last ?? '', order: '2025010104000000050000', sales };
  let found: unknown;
  const reads = await readsOf(async ({ invariants }) => {
    found = await invariants.check({ ...start, position }, Date.now() + 60_000, Date.now);
  });
  expect(found).toMatchObject({ findings: [], position: { sales: { day: '20250119', sku: '' } } });
  expectCheap(reads);
  // The orders of two days, and the search for the days.
  const orders = reads.filter(({ table }) => table === 'orders');
  expect(Math.max(...orders.map((one) => one.rows))).toBeLessThanOrEqual(1_000);
});

test.each(['callback_body_purged', 'fingerprint_purged', 'idempotency_key_purged'] as const)(
  'a purge that finds nothing (%s) reads almost no rows',
  async (kind) => {
    await patrol.database.patrol.purge.batch(kind, {}, Date.now());
    const reads = await readsOf(async (rows) => {
      await rows.purge.batch(kind, {}, Date.now());
      await rows.notices.find(Date.now());
    });
    expectCheap(reads);
  },
);
