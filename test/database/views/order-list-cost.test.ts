/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests that lists of orders read few rows.
import { DEFAULT_SHARING } from '../../../domain/settings/runtime-settings';
import { Pool } from 'pg';
import { z } from 'zod';
import type { OrderFilter } from '../../../database/views/read-orders';
import { createFieldCipher } from '../../../database/encryption/field-encryption';
import { createKeyedHash } from '../../../database/encryption/keyed-hash';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { createOrderReading, inUtc, PrismaClient, PrismaPg } from '../support/built';
import { secrets } from '../support/secrets';

const ORDERS = 20_000;

let database: TestDatabase;
let sql: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Pool({ ...inUtc(database.url), max: 2 });
  await sql.query(
    `INSERT INTO orders (out_trade_no, channel, status, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at, created_at)
     SELECT '2026010104' || lpad(n::text, 12, '0'), 'admin',
       CASE WHEN n % 50 = 0 THEN 'awaiting_payment' ELSE 'fulfilled' END,
       'user-' || n % 2000, 'x', 1,
       'a', 'm', 'n', 't', now(), '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second'
     FROM generate_series(1, $1::int) n`,
    [ORDERS],
  );
  await sql.query(
    `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence, status)
     SELECT gen_random_uuid(), out_trade_no, out_trade_no, 'no_stock', 'x', '{}',
       CASE WHEN right(out_trade_no, 3) = '000' THEN 'open' ELSE 'resolved' END
     FROM orders WHERE right(out_trade_no, 1) = '0'`,
  );
  await sql.query('ANALYZE');
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const ALL: OrderFilter = {
  status: null,
  attention: null,
  userId: null,
  createdAfter: null,
  after: null,
  limit: 51,
};
const after = {
  createdAt: new Date(Date.parse('2026-01-01T00:00:00Z') + (ORDERS / 2) * 1_000),
  outTradeNo: '2026010104000000010000',
};

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

/** The statement that a list sends, as PostgreSQL carries it out. */
async function planOf(filter: OrderFilter): Promise<{ nodes: Plan[]; found: number }> {
  const prisma = new PrismaClient({
    adapter: new PrismaPg(inUtc(database.url)),
    log: [{ emit: 'event', level: 'query' }],
  });
  const sent: { query: string; params: string }[] = [];
  prisma.$on('query', (event) => sent.push(event));
  const reading = createOrderReading({
    prisma,
    limitRows: (_rows, work) => work(),
    cipher: createFieldCipher(secrets.encryptionKeys),
    unreadable: { report: () => undefined, log: () => undefined },
    hash: createKeyedHash(secrets.hashKey),
    webhooks: false,
    notifyUrl: secrets.notifyUrl,
    sharing: DEFAULT_SHARING,
    twoPersonFen: 100_000,
  });
  const found = await reading.list(filter);
  await prisma.$disconnect();
  const [statement] = sent;
  if (!statement) throw new Error('nothing was sent');
  const { rows } = await sql.query(
    `EXPLAIN (ANALYZE, FORMAT JSON) ${statement.query}`,
    z.array(z.unknown()).parse(JSON.parse(statement.params)),
  );
  const [
    {
      'QUERY PLAN': [{ Plan: top }],
    },
  ] = explained.parse(rows);
  return { nodes: nodesOf(top), found: found.length };
}

test.each<[string, Partial<OrderFilter>, number]>([
  ['nothing', {}, 51],
  ['a page in the middle', { after }, 51],
  ['a rare status', { status: 'awaiting_payment' }, 51],
  ['a frequent status', { status: 'fulfilled', after }, 51],
  ['a status nobody has', { status: 'paid_late' }, 0],
  ['a user', { userId: 'user-77' }, 10],
  ['an unknown user', { userId: 'nobody' }, 0],
  ['a user and a status', { userId: 'user-50', status: 'awaiting_payment' }, 10],
  ['a time', { createdAfter: after.createdAt }, 51],
  ['a time of late', { createdAfter: new Date(Date.parse('2026-01-01T05:33:10Z')) }, 10],
  ['attention', { attention: true }, 20],
  ['a reason', { attention: 'no_stock', after }, 9],
  ['a reason nobody has', { attention: 'no_codes' }, 0],
  ['no attention', { attention: false }, 51],
])('a list filtered by %s reads few orders, by an index', async (_what, change, rows) => {
  const { nodes, found } = await planOf({ ...ALL, ...change });
  expect(found).toBe(rows);
  const onOrders = nodes.filter((node) => node['Relation Name'] === 'orders');
  expect(onOrders.length).toBeGreaterThan(0);
  for (const node of onOrders) {
    expect(node['Node Type']).not.toBe('Seq Scan');
    const read =
      (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
    expect(read).toBeLessThanOrEqual(500);
  }
});
