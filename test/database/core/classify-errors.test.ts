/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests how errors of PostgreSQL and Prisma are classified and shown.
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { Client, Pool } from 'pg';
import { errorChain, isUnavailable, sqlStateOf } from '../../../database/core/classify-errors';
import { createInboxWriter } from '../../../database/inbox/inbox-writer';
import type { Database } from '../../../database/database';
import { inUtc, openDatabase, PrismaClient, PrismaPg } from '../support/built';
import { secrets } from '../support/secrets';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.url, max: 3 });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

async function errorOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

const open = (url: string): Database => openDatabase({ url, ...secrets, webhooks: false });

async function prismaErrorOf(url: string): Promise<unknown> {
  const opened = open(url);
  const error = await errorOf(() => opened.products.find('x'));
  await opened.end();
  return error;
}

test.each<[string, string, string, boolean]>([
  ['a NUL in a text', `SELECT chr(0)`, '54000', false],
  ['a division by zero', 'SELECT 1 / 0', '22012', false],
  ['bad input', `SELECT 'x'::int`, '22P02', false],
  ['an unknown table', 'SELECT * FROM nothing', '42P01', false],
  ['a broken rule', `INSERT INTO order_sequences VALUES ('d', 'c', -1)`, '23514', false],
  ['a statement timeout', 'SET statement_timeout = 1; SELECT pg_sleep(1)', '57014', true],
  ['a read-only server', 'SET transaction_read_only = on; CREATE TABLE t ()', '25006', true],
])(
  'an error of %s: its SQLSTATE is read, and outage or refusal is told apart',
  async (_what, sql, state, unavailable) => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    const error = await errorOf(() => client.query(`BEGIN; ${sql}`));
    await client.end();
    expect([sqlStateOf(error), isUnavailable(error)]).toEqual([state, unavailable]);
  },
);

test('the server ends a session: the database counts as unavailable', async () => {
  const client = await pool.connect();
  client.on('error', () => undefined);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const error = errorOf(() => client.query('SELECT pg_sleep(30)'));
  await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  expect(isUnavailable(await error)).toBe(true);
  client.release(true);
});

test('a deadlock counts as unavailable, so the statement is tried again', async () => {
  await pool.query(`INSERT INTO order_sequences VALUES ('d', '1', 0), ('d', '2', 0)`);
  const [one, two] = [await pool.connect(), await pool.connect()];
  const lock = (channel: string) =>
    `UPDATE order_sequences SET next_value = 1 WHERE channel = '${channel}'`;
  await one.query(`BEGIN; SET LOCAL deadlock_timeout = '10ms'; ${lock('1')}`);
  await two.query(`BEGIN; SET LOCAL deadlock_timeout = '10ms'; ${lock('2')}`);
  const results = await Promise.allSettled([one.query(lock('2')), two.query(lock('1'))]);
  const [error] = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  expect([sqlStateOf(error), isUnavailable(error)]).toEqual(['40P01', true]);
  await Promise.all([one.query('ROLLBACK'), two.query('ROLLBACK')]);
  one.release();
  two.release();
});

test('a port without a server is an outage, a database that does not exist is not', async () => {
  const refused = new URL(database.url);
  refused.port = '1';
  expect(isUnavailable(await prismaErrorOf(refused.href))).toBe(true);
  const missing = new URL(database.url);
  missing.pathname = '/nowhere';
  expect(isUnavailable(await prismaErrorOf(missing.href))).toBe(false);
});

test('a server accepts the connection and stays silent: an outage after the timeout', async () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const url = new URL(database.url);
  url.host = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const started = performance.now();
  const inbox = createInboxWriter({ url: url.href, ...secrets });
  const [prisma, written] = await Promise.all([
    prismaErrorOf(url.href),
    errorOf(() =>
      inbox.add({
        notificationId: 'x',
        merchantId: 'm',
        kind: 'unknown',
        eventType: null,
        outTradeNo: null,
        resource: '{}',
      }),
    ),
  ]);
  expect([isUnavailable(prisma), isUnavailable(written)]).toEqual([true, true]);
  expect(performance.now() - started).toBeLessThan(4_500);
  for (const socket of sockets) socket.destroy();
  silent.close();
  await inbox.end();
});

test('a violated constraint: the error of Prisma has its SQLSTATE and is no outage', async () => {
  const opened = open(database.url);
  const actor = { name: 'a', role: 'admin' };
  const product = { sku: 'x', name: 'x\0', kind: 'physical', stock: 1 } as const;
  const error = await errorOf(() => opened.products.put(product, actor));
  await opened.end();
  expect(isUnavailable(error)).toBe(false);
});

describe('errorChain', () => {
  const SECRET = 'oSecret';
  const broken = [
    [
      'a CHECK',
      `INSERT INTO order_sequences VALUES ('${SECRET}', 'c', -1)`,
      /^23514 order_seq\w+$/,
    ],
    [
      'a key',
      `INSERT INTO order_sequences VALUES ('d', 'twice', 0), ('d', 'twice', 0)`,
      /^23505 order_seq\w+_pkey$/,
    ],
    ['a NOT NULL', `INSERT INTO order_sequences VALUES ('${SECRET}', NULL, 0)`, /^23502$/],
    ['a rule of its own', `DO $$ BEGIN RAISE EXCEPTION '${SECRET}'; END $$`, /^P0001$/],
  ] as const;

  test.each(broken)(
    'errorChain names the constraint or column of %s, and shows no value',
    async (_what, sql, expected) => {
      const prisma = new PrismaClient({
        adapter: new PrismaPg(inUtc(database.url)),
      });
      const errors = [
        errorChain(await errorOf(() => prisma.$executeRawUnsafe(sql))),
        errorChain(await errorOf(() => pool.query(sql))),
      ];
      await prisma.$disconnect();
      for (const chain of errors) {
        expect(chain.at(-1)?.replace(/^(SQLSTATE|error) /, '')).toMatch(expected);
        expect(chain.join()).not.toContain(SECRET);
      }
      expect(errors[0]?.[0]).toBe('PrismaClientKnownRequestError P2010');
    },
  );

  test.each([
    [new TypeError(SECRET), ['TypeError']],
    [new Error('x', { cause: new RangeError(SECRET) }), ['Error', 'RangeError']],
    [Object.assign(new Error('x'), { code: `not ${SECRET}` }), ['Error']],
    [SECRET, []],
    [null, []],
  ])('errorChain of %p is %p', (error, expected) => {
    expect(errorChain(error)).toEqual(expected);
  });
});

test.each([
  [null, null, false],
  [undefined, null, false],
  ['ECONNREFUSED', null, false],
  [{}, null, false],
  [{ code: 'P2002' }, null, false],
  [{ code: 'P1001' }, null, true],
  [{ code: 'P2028' }, null, true],
  [{ code: 'ECONNRESET' }, null, true],
  [{ code: '57P01' }, '57P01', true],
  [{ code: '53300' }, '53300', true],
  [{ code: '08006' }, '08006', true],
  [{ code: '40001' }, '40001', true],
  [{ code: '23505' }, '23505', false],
  [{ code: 'EACCE' }, null, false],
  [new Error('x', { cause: { originalCode: '40P01' } }), '40P01', true],
  [{ meta: { driverAdapterError: { cause: { originalCode: '53300' } } } }, '53300', true],
  [new AggregateError([{ code: 'ECONNREFUSED' }]), null, true],
])('%p has the SQLSTATE %p and is an outage: %p', (error, state, unavailable) => {
  expect([sqlStateOf(error), isUnavailable(error)]).toEqual([state, unavailable]);
});

test('an error that is its own cause does not loop without end', () => {
  const error: { cause?: unknown } = {};
  error.cause = error;
  expect([sqlStateOf(error), isUnavailable(error)]).toEqual([null, false]);
});
