/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the migration 0010 on rows that the released 0.3.0 wrote in Asia/Shanghai.
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { migrate } from '../../../database/migrations/apply-migrations';
import {
  createDatabaseFrom,
  createEmptyDatabase,
  type TestDatabase,
} from '../../support/test-database';
import { openDatabase, PrismaClient, PrismaPg } from '../support/built';
import { secrets } from '../support/secrets';

const ALL = join(__dirname, '..', '..', '..', 'prisma', 'migrations');
const FIXTURE = join(__dirname, 'released', '0.3.0-in-shanghai.sql');
/** The last migration that 0.3.0 has. */
const LAST_OF_0_3_0 = '0008';
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Asia/Shanghai has had no other offset since 1991. */
const OFFSET_MS = 8 * HOUR_MS;
/** Prepay parameters live two hours, and nothing of an open order is due later. */
const LATEST_MS = 3 * HOUR_MS;
/** By then the sweep takes what no run did: a start, a close, a query. */
const DUE_MS = 60 * SECOND_MS;

interface PlacedOrder {
  readonly no: string;
  readonly sentAt: string;
  readonly repliedAt: string;
  readonly expiresAt: string;
}

interface Facts {
  readonly zone: string;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly noticeAt: string;
  readonly open: PlacedOrder;
  readonly waiting: PlacedOrder;
  readonly closing: PlacedOrder;
  readonly created: PlacedOrder;
}

type Row = Readonly<Record<string, unknown>>;
/** Table, then primary key, then the row; its times are text with an offset. */
type Snapshot = ReadonlyMap<string, ReadonlyMap<string, Row>>;
type Fate = 'moved' | 'stays' | 'now';

let facts: Facts;
let folder: string;
/** Databases of 0.3.0: one without rows, one with those of the released program. */
let bare: TestDatabase;
let released: TestDatabase;
let shanghai: Awaited<ReturnType<typeof migrated>>;
const opened: TestDatabase[] = [];

beforeAll(async () => {
  const sql = await readFile(FIXTURE, 'utf8');
  facts = JSON.parse(/^-- facts: (.*)$/m.exec(sql)?.[1] ?? '') as Facts;
  folder = await mkdtemp(join(tmpdir(), 'oncepay-migrations-'));
  for (const name of await readdir(ALL)) {
    if (/^\d/.test(name) && name.slice(0, 4) <= LAST_OF_0_3_0) {
      await cp(join(ALL, name), join(folder, name), { recursive: true });
    }
  }
  bare = await createEmptyDatabase();
  await migrate(bare.url, folder, () => undefined);
  released = await createDatabaseFrom(nameOf(bare.url));
  await restore(released.url, sql);
  shanghai = await migrated('Asia/Shanghai');
});
afterAll(async () => {
  for (const database of [...opened, released, bare]) await database.drop();
  await rm(folder, { recursive: true });
});

const nameOf = (url: string) => new URL(url).pathname.slice(1);

async function withClient<T>(url: string, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** A copy whose sessions begin in the zone. */
async function copyIn(zone: string, of: TestDatabase): Promise<string> {
  const database = await createDatabaseFrom(nameOf(of.url));
  opened.push(database);
  await withClient(database.url, (client) =>
    client.query(`ALTER DATABASE "${nameOf(database.url)}" SET TimeZone = '${zone}'`),
  );
  return database.url;
}

interface TimeColumn {
  readonly table: string;
  readonly column: string;
}

async function timeColumns(client: Client): Promise<TimeColumn[]> {
  const { rows } = await client.query<TimeColumn>(
    `SELECT table_name AS table, column_name AS column FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'timestamp with time zone'
       AND table_name <> '_prisma_migrations' ORDER BY 1, 2`,
  );
  return rows;
}

async function emptyColumns(client: Client): Promise<TimeColumn[]> {
  const empty: TimeColumn[] = [];
  for (const one of await timeColumns(client)) {
    const { rowCount } = await client.query(
      `SELECT 1 FROM "${one.table}" WHERE "${one.column}" IS NOT NULL LIMIT 1`,
    );
    if (rowCount === 0) empty.push(one);
  }
  return empty;
}

/** Stores the rows, and one of each kind that the played two minutes don't have. */
async function restore(url: string, sql: string): Promise<void> {
  await withClient(url, async (client) => {
    const tables = new Set((await timeColumns(client)).map(({ table }) => table));
    await client.query(`TRUNCATE ${[...tables].join(', ')} CASCADE`);
    await client.query('SET session_replication_role = replica');
    await client.query(sql);
    await client.query(
      `INSERT INTO retry_budgets SELECT 'number', 'wechat.query', '', 1, 'TIMEOUT', created_at
       FROM orders LIMIT 1`,
    );
    // As the migration 0006 inserts it when it finds a payment of before.
    await client.query(
      `UPDATE profit_sharings SET created_at = (SELECT started_at FROM _prisma_migrations
         WHERE migration_name = '0006_profit_sharing')
       WHERE out_order_no = (SELECT min(out_order_no) FROM profit_sharings
         WHERE origin = 'deadline')`,
    );
  });
}

/**
 * Fills the columns that are empty in every row with the time of an order, as the program wrote it:
 * all of them are columns that only Prisma ever wrote.
 */
async function fillEmptyColumns(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await client.query('SET session_replication_role = replica');
    for (const { table, column } of await emptyColumns(client)) {
      await client.query(
        `UPDATE "${table}" SET "${column}" = (SELECT max(created_at) FROM orders)`,
      );
    }
  });
}

async function snapshot(url: string): Promise<Snapshot> {
  return withClient(url, async (client) => {
    await client.query("SET TimeZone = 'UTC'");
    const taken = new Map<string, ReadonlyMap<string, Row>>();
    for (const table of new Set((await timeColumns(client)).map((one) => one.table))) {
      const { rows } = await client.query<{ key: string; row: Row }>(
        `SELECT (SELECT string_agg(to_jsonb(t)->>a.attname, '|' ORDER BY a.attnum)
             FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
               AND a.attnum = ANY(i.indkey)
             WHERE i.indrelid = '"${table}"'::regclass AND i.indisprimary) AS key,
           to_jsonb(t) AS row FROM "${table}" t`,
      );
      taken.set(table, new Map(rows.map(({ key, row }) => [key, row])));
    }
    return taken;
  });
}

/** SQL's now() or a column's default wrote them, in every statement of 0.1.0 to 0.3.0. */
const STAYS = new Set([
  'idempotency_keys.created_at',
  'product_codes.used_at',
  'rate_limits.updated_at',
  'retry_policies.updated_at',
  'runtime_settings.updated_at',
]);

/** The migration treats a time by its writer (docs/decisions/0031-sessions-in-utc.md). */
function fateOf(column: string, row: Row, sixthAt: string): Fate {
  const isNobodys = row['kind'] === 'unknown' || row['kind'] === 'profit_sharing';
  switch (column) {
    case 'notification_inbox.received_at':
      return row['source'] === 'callback' ? 'stays' : 'moved';
    case 'notification_inbox.verdict_at':
      return row['source'] === 'callback' && isNobodys ? 'stays' : 'moved';
    case 'notification_inbox.next_attempt_at':
      return row['verdict'] === null ? 'now' : 'stays';
    case 'audit_log.at':
      return row['action'] === 'order.create' ? 'stays' : 'moved';
    case 'dependencies.since':
      return row['evidence'] === null ? 'stays' : 'moved';
    case 'profit_sharings.created_at':
      return row['created_at'] === sixthAt ? 'stays' : 'moved';
    default:
      return STAYS.has(column) ? 'stays' : 'moved';
  }
}

async function startOfSixth(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ at: string }>(
      `SELECT to_jsonb(started_at::timestamptz(3) AT TIME ZONE 'UTC')#>>'{}' || '+00:00' AS at
       FROM _prisma_migrations WHERE migration_name = '0006_profit_sharing'`,
    );
    return rows[0]?.at ?? '';
  });
}

const msOf = (text: unknown): number | null => (typeof text === 'string' ? Date.parse(text) : null);

/** A later migration adds this row, with the time of the migration. */
const ADDED_LATER = 'wechat.bill';
/** Every time of a snapshot, with its row. */
function* timesOf(taken: Snapshot, columns: readonly TimeColumn[]) {
  for (const { table, column } of columns) {
    for (const [key, row] of taken.get(table) ?? []) {
      if (key === ADDED_LATER) continue;
      yield { name: `${table}.${column}`, table, column, key, row, ms: msOf(row[column]) };
    }
  }
}

async function migrated(zone: string, prepare?: (url: string) => Promise<void>, query = '') {
  const url = `${await copyIn(zone, released)}${query}`;
  await prepare?.(url);
  const columns = await withClient(url, timeColumns);
  const before = await snapshot(url);
  const lines: string[] = [];
  const startedMs = Date.now();
  await migrate(url, ALL, (line) => lines.push(line));
  return { url, columns, before, after: await snapshot(url), lines, startedMs };
}

test('rows of 0.3.0 from Asia/Shanghai: each time of Prisma moves by eight hours', async () => {
  const { url, columns, before, after, lines, startedMs } = await migrated(
    'Asia/Shanghai',
    fillEmptyColumns,
  );
  const sixthAt = await startOfSixth(url);
  const wrong: unknown[] = [];
  const fates = new Map<string, Set<Fate>>();
  for (const { name, table, column, key, row, ms } of timesOf(before, columns)) {
    const fate = fateOf(name, row, sixthAt);
    const now = msOf(after.get(table)?.get(key)?.[column]);
    if (ms === null) {
      if (now !== null) wrong.push({ name, key });
      continue;
    }
    fates.set(name, (fates.get(name) ?? new Set()).add(fate));
    const isRight =
      fate === 'now'
        ? now !== null && now >= startedMs - SECOND_MS && now <= Date.now()
        : now === (fate === 'moved' ? ms + OFFSET_MS : ms);
    if (!isRight) wrong.push({ name, key, fate, was: row[column], is: now && new Date(now) });
  }
  expect(wrong).toEqual([]);
  // Every column has a time here, and those with two writers have times of both.
  expect(columns.map((one) => `${one.table}.${one.column}`).filter((n) => !fates.has(n))).toEqual(
    [],
  );
  const ofTwo = [...fates].filter(([, kinds]) => kinds.size === 2).map(([name]) => name);
  expect(ofTwo.sort()).toEqual([
    'audit_log.at',
    'dependencies.since',
    'notification_inbox.next_attempt_at',
    'notification_inbox.received_at',
    'notification_inbox.verdict_at',
    'profit_sharings.created_at',
  ]);
  expect(lines.filter((line) => /UTC|0010/.test(line))).toEqual([
    expect.stringMatching(
      /^The time zone of this database is Asia\/Shanghai: the times in \d+ rows/,
    ),
    'Applied 0010_times_in_utc.',
  ]);
});

test('rows of 0.3.0 from Asia/Shanghai: each time lies afterwards where it was', async () => {
  const { url, columns, after } = shanghai;
  const sixthAt = await startOfSixth(url);
  const earliest = Date.parse(facts.startedAt) - SECOND_MS;
  const latest = Date.parse(facts.endedAt) + LATEST_MS;
  const elsewhere: unknown[] = [];
  for (const { name, key, row, ms } of timesOf(after, columns)) {
    if (ms === null || name === 'notification_inbox.next_attempt_at') continue;
    if (row[name.split('.')[1] ?? ''] === sixthAt) continue;
    if (name === 'dependencies.since' && row['evidence'] === null) continue;
    // The rest of a payment is unfrozen 29 days after it.
    const isDeadline = row['origin'] === 'deadline' && ms > latest;
    const at = isDeadline ? ms - 29 * DAY_MS : ms;
    if (at < earliest || at > latest) elsewhere.push({ name, key, at: new Date(at) });
  }
  expect(elsewhere).toEqual([]);
  await withClient(url, async (client) => {
    // The text that WeChat was sent: a minute after the expiry, in whole seconds.
    const { rows } = await client.query(
      `SELECT out_trade_no FROM orders WHERE
         abs(extract(epoch FROM time_expire::timestamptz - expires_at) - 60) > 1`,
    );
    expect(rows).toEqual([]);
    for (const { no, sentAt, repliedAt, expiresAt } of [facts.open, facts.created]) {
      const { rows: orders } = await client.query<{ expires_at: Date; created_at: Date }>(
        'SELECT expires_at, created_at FROM orders WHERE out_trade_no = $1',
        [no],
      );
      expect(orders[0]?.expires_at.toISOString()).toBe(expiresAt);
      const createdMs = orders[0]?.created_at.getTime();
      expect(createdMs).toBeGreaterThanOrEqual(Date.parse(sentAt));
      expect(createdMs).toBeLessThanOrEqual(Date.parse(repliedAt));
    }
  });
});

test('open orders and a notice of 0.3.0 go on after the migration, and expire then', async () => {
  const { url } = shanghai;
  const database = openDatabase({ url, ...secrets, webhooks: false });
  try {
    const expiresMs = Date.parse(facts.open.expiresAt);
    const gaps = [30 * SECOND_MS];
    const notices = await database.overdue.leaseNotices(100, Date.now());
    expect(notices.map(({ outTradeNo }) => outTradeNo)).toContain(facts.waiting.no);
    const { open, created, closing } = facts;
    const leased = async (atMs: number) =>
      (await database.overdue.leaseOrders(100, atMs)).map(({ outTradeNo }) => outTradeNo);
    expect(await leased(Date.parse(created.sentAt))).not.toContain(created.no);
    expect(await leased(Date.parse(facts.endedAt) + DUE_MS)).toEqual(
      expect.arrayContaining([open.no, created.no, closing.no]),
    );
    const turnAt = (atMs: number) => database.queries.turn(open.no, gaps, atMs);
    expect(await turnAt(expiresMs - SECOND_MS)).not.toEqual({ kind: 'expired' });
    expect(await turnAt(expiresMs)).toEqual({ kind: 'expired' });
  } finally {
    await database.end();
  }
});

test.each([
  ['UTC', ''],
  ['Africa/Abidjan', ''],
  ['Asia/Shanghai', '?options=-c%20TimeZone%3DUTC'],
])(
  'sessions of 0.3.0 in UTC, of a database in %s with %p in the URL: nothing moves',
  async (zone, query) => {
    const { columns, before, after, lines } = await migrated(zone, undefined, query);
    const times = (taken: Snapshot) => [...timesOf(taken, columns)].map(({ ms }) => ms);
    expect(times(after)).toEqual(times(before));
    expect(lines).toContain('Applied 0010_times_in_utc.');
    expect(lines.filter((line) => !line.startsWith('Applied '))).toEqual([]);
  },
);

test('an api is connected in Asia/Shanghai: the migration refuses and moves nothing', async () => {
  const url = await copyIn('Asia/Shanghai', released);
  const before = await snapshot(url);
  const api = new Client({ connectionString: url, application_name: 'oncepay' });
  await api.connect();
  await expect(migrate(url, ALL, () => undefined)).rejects.toThrow(
    /1 connections of them are open: stop all api and worker processes/,
  );
  await api.end();
  expect((await snapshot(url)).get('orders')).toEqual(before.get('orders'));
});

const WINTER = '2026-01-15T03:04:05.678Z';
const SUMMER = '2026-07-15T20:04:05.678Z';

test.each(['America/New_York', 'Asia/Kathmandu', 'CET', '-3:30'])(
  'times that Prisma sent in sessions in %s are after the migration those that were meant',
  async (zone) => {
    const url = await copyIn(zone, bare);
    // As 0.3.0 opened it: nothing sets the zone.
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url }) });
    for (const at of [WINTER, SUMMER]) {
      await prisma.$executeRaw`INSERT INTO products (sku, name, kind, created_at)
        VALUES (${at}, 'a', 'physical', ${new Date(at)})`;
    }
    await prisma.$disconnect();
    await migrate(url, ALL, () => undefined);
    const { rows } = await withClient(url, (client) =>
      client.query<{ sku: string; created_at: Date }>('SELECT sku, created_at FROM products'),
    );
    expect(rows.map((row) => [row.sku, row.created_at.toISOString()])).toEqual([
      [WINTER, WINTER],
      [SUMMER, SUMMER],
    ]);
  },
);
