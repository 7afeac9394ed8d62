// Tests the sessions of a pool without a pooler, and that a pool leaves a server that only reads.
import { Client, type Pool } from 'pg';
import { openPool, type PoolOptions } from '../../../database/connections/open-connections';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { until } from '../../support/until';

let database: TestDatabase;
let server: Client;
const pools: Pool[] = [];

function open(own: Partial<PoolOptions> = {}): Pool {
  const pool = openPool({
    url: database.url,
    applicationName: 'pool-of-test',
    maxConnections: 4,
    connectTimeoutMs: 20_000,
    queryTimeoutMs: 20_000,
    settings: { statement_timeout: '3500', lock_timeout: '7s' },
    ...own,
  });
  pools.push(pool);
  return pool;
}

const sessions = async () => {
  const { rows } = await server.query<{ pid: number }>(
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'pool-of-test'
       AND datname = current_database() ORDER BY pid`,
  );
  return rows.map(({ pid }) => pid);
};
const readOnly = (value: 'on' | 'off') => {
  const name = new URL(database.url).pathname.slice(1);
  return server.query(`ALTER DATABASE "${name}" SET default_transaction_read_only = ${value}`);
};
const openAll = (pool: Pool) =>
  Promise.all(Array.from({ length: 4 }, () => pool.query('SELECT pg_sleep(0.05)')));

beforeAll(async () => {
  database = await createTestDatabase();
  server = new Client({ connectionString: database.url });
  await server.connect();
  const name = new URL(database.url).pathname.slice(1);
  await server.query(`ALTER DATABASE "${name}" SET timezone = 'Asia/Shanghai'`);
});
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
});
afterAll(async () => {
  await server.end();
  await database.drop();
});

const SHOWN = `SELECT current_setting('timezone') AS zone,
  current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock`;

test.each([
  ['the settings of the pool', '', { zone: 'UTC', statement: '3500ms', lock: '7s' }],
  [
    'what the URL says of them, but never another zone',
    '?statement_timeout=60000&options=-c%20lock_timeout=9s%20-c%20TimeZone=Asia/Tokyo',
    { zone: 'UTC', statement: '1min', lock: '9s' },
  ],
])('the database is in Asia/Shanghai: each session has %s', async (_what, query, expected) => {
  const pool = open({ url: database.url + query });
  await openAll(pool);
  const { rows } = await pool.query(SHOWN);
  expect(rows).toEqual([expected]);
});

test('the session is set once for each connection, not for each statement', async () => {
  const pool = open({ maxConnections: 1 });
  const { rows: first } = await pool.query('SELECT pg_backend_pid() AS pid');
  const client = await pool.connect();
  const texts: unknown[] = [];
  const { connection } = client as unknown as { connection: { query: (text: string) => void } };
  const send = connection.query.bind(connection);
  connection.query = (text) => {
    texts.push(text);
    send(text);
  };
  client.release();
  for (let n = 0; n < 5; n += 1) await pool.query('SELECT 2');
  expect(texts).toEqual(Array.from({ length: 5 }, () => 'SELECT 2'));
  expect((await pool.query('SELECT pg_backend_pid() AS pid')).rows).toEqual(first);
});

test('the server refuses a setting: the call fails with the reason, nothing is left', async () => {
  const pool = open({ settings: { no_such_setting: '1' } });
  await expect(pool.query('SELECT 1')).rejects.toMatchObject({
    code: '42704',
    message: 'unrecognized configuration parameter "no_such_setting"',
  });
  expect(pool.totalCount).toBe(0);
  await until('the server has closed the session', async () =>
    (await sessions()).length === 0 ? true : null,
  );
});

test('the server becomes a reader: no new connection stays there', async () => {
  await readOnly('on');
  const pool = open();
  await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '25006' });
  expect(pool.totalCount).toBe(0);
  await readOnly('off');
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

test('a write meets a reader inside a transaction: all connections are replaced', async () => {
  const lost: string[] = [];
  const pool = open({ onIdleError: ({ message }) => lost.push(message) });
  await openAll(pool);
  const before = await sessions();
  expect(before).toHaveLength(4);
  const [writer, busy] = [await pool.connect(), await pool.connect()];
  await writer.query('BEGIN READ ONLY');
  await expect(writer.query('CREATE TABLE t ()')).rejects.toMatchObject({ code: '25006' });
  await writer.query('ROLLBACK');
  writer.release();
  expect((await busy.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  busy.release();
  await until('the server has closed all four', async () =>
    (await sessions()).some((pid) => before.includes(pid)) ? null : true,
  );
  expect(lost).toEqual(['The server became read-only', 'The server became read-only']);
  await openAll(pool);
  expect(pool.totalCount).toBe(4);
});

test('an ordinary error in a transaction keeps its connection', async () => {
  const pool = open({ maxConnections: 1 });
  const client = await pool.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await client.query('BEGIN');
  await expect(client.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
  await client.query('ROLLBACK');
  client.release();
  expect((await pool.query('SELECT pg_backend_pid() AS pid')).rows).toEqual(rows);
});
