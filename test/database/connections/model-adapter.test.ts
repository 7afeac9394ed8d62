/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests that migrations, models, raw SQL and /readyz use one schema, also one of a role's own.
import { join } from 'node:path';
import { Client } from 'pg';
import { migrate } from '../../../database/migrations/apply-migrations';
import { createEmptyDatabase, type TestDatabase } from '../../support/test-database';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

const MIGRATIONS = join(__dirname, '..', '..', '..', 'prisma', 'migrations');
const ACTOR = { name: 'shop', role: 'merchant' };
const PASSWORD = 'pw-of-a-test';

let database: TestDatabase;
let server: Client;
let role: string;
let count = 0;

beforeEach(async () => {
  database = await createEmptyDatabase();
  server = new Client({ connectionString: database.url });
  await server.connect();
  role = `shop_${process.pid}_${(count += 1)}`;
  await server.query(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`);
  // Another program's tables, which no statement of ours may touch.
  await server.query('CREATE TABLE public.products (sku TEXT); CREATE TABLE public.orders ()');
});
afterEach(async () => {
  await server.query(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
  await server.end();
  await database.drop();
});

function urlOfRole(query = ''): string {
  const url = new URL(database.url);
  url.username = role;
  url.password = PASSWORD;
  return url.href + query;
}

/** Migrates, uses models and raw SQL, and returns the schemas that have our tables. */
async function useDatabase(url: string): Promise<{ schemas: string[]; health: unknown }> {
  await migrate(url, MIGRATIONS, () => undefined);
  const opened = openDatabase({ url, ...secrets, webhooks: false });
  try {
    await opened.products.put({ sku: 'mug', name: 'Mug', kind: 'physical', stock: 1 }, ACTOR);
    await opened.products.changeStock('mug', { delta: 4, reason: 'new' }, ACTOR);
    expect(await opened.products.find('mug')).toMatchObject({ stock: 5 });
    await opened.overdue.leaseNotices(1, Date.now());
    const { rows } = await server.query<{ schema: string }>(
      `SELECT schemaname AS schema FROM pg_tables
       WHERE tablename IN ('notification_inbox', '_prisma_migrations') ORDER BY 1`,
    );
    const health = await opened.health.check(MIGRATIONS);
    return { schemas: rows.map(({ schema }) => schema), health };
  } finally {
    await opened.end();
  }
}

const UP = { reachable: true, reason: null, pendingMigrations: [] };

test('the URL names a schema, and the role may create it: all is there', async () => {
  const name = new URL(database.url).pathname.slice(1);
  await server.query(`GRANT CREATE ON DATABASE "${name}" TO ${role}`);
  const used = await useDatabase(urlOfRole('?schema=Shop-1'));
  expect(used).toEqual({ schemas: ['Shop-1', 'Shop-1'], health: UP });
});

test('the URL names a schema that the role owns, without rights on the database', async () => {
  await server.query(`CREATE SCHEMA pay AUTHORIZATION ${role}`);
  const used = await useDatabase(urlOfRole('?schema=pay'));
  expect(used).toEqual({ schemas: ['pay', 'pay'], health: UP });
});

test.each([
  ['it has its own name', '', () => role],
  ['its search_path names it', 'ALTER ROLE $role SET search_path = till, public', () => 'till'],
])('the role has a schema of its own, and %s: all is there', async (_how, sql, schema) => {
  await server.query(`CREATE SCHEMA ${schema()} AUTHORIZATION ${role}`);
  if (sql !== '') await server.query(sql.replace('$role', role));
  const used = await useDatabase(urlOfRole());
  expect(used).toEqual({ schemas: [schema(), schema()], health: UP });
});

test('our tables are in public, and the role has a schema too: the tables are used', async () => {
  await server.query('DROP TABLE public.products, public.orders');
  await migrate(database.url, MIGRATIONS, () => undefined);
  await server.query(`CREATE SCHEMA ${role} AUTHORIZATION ${role};
    GRANT ALL ON ALL TABLES IN SCHEMA public TO ${role};
    GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${role}`);
  const used = await useDatabase(urlOfRole());
  expect(used).toEqual({ schemas: ['public', 'public'], health: UP });
});

test.each([
  [
    'the schema of the URL does not exist, and the role may not create it',
    '?schema=pay',
    /^The schema pay does not exist, and the role may not create it\. /,
  ],
  [
    'the role may not create tables in public',
    '',
    /^The role may not create tables in the schema public\. /,
  ],
])('%s: the migration says so and leaves nothing', async (_what, query, expected) => {
  await expect(migrate(urlOfRole(query), MIGRATIONS, () => undefined)).rejects.toThrow(expected);
  const { rows } = await server.query(`SELECT 1 FROM pg_tables WHERE tablename LIKE '_prisma%'`);
  expect(rows).toEqual([]);
});

test('the search_path of the role names no schema that exists: the migration says so', async () => {
  await server.query(`ALTER ROLE ${role} SET search_path = nowhere`);
  await expect(migrate(urlOfRole(), MIGRATIONS, () => undefined)).rejects.toThrow(
    /^The role's search_path names no schema that exists: /,
  );
});
