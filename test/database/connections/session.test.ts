/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests that Oncepay's sessions are the same behind PgBouncer, in both of its modes of pooling.
import { join } from 'node:path';
import { Client, type Pool } from 'pg';
import { openPool, type PoolOptions } from '../../../database/connections/open-connections';
import { createInboxWriter } from '../../../database/inbox/inbox-writer';
import { migrate } from '../../../database/migrations/apply-migrations';
import { describeWithPgBouncer, startPgBouncer, type PgBouncer } from '../../support/pgbouncer';
import { createEmptyDatabase, type TestDatabase } from '../../support/test-database';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

const MIGRATIONS = join(__dirname, '..', '..', '..', 'prisma', 'migrations');
const ACTOR = { name: 'shop', role: 'merchant' };
const SHOWN = `SELECT current_setting('timezone') AS zone, current_schema() AS schema,
  current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock`;
const SET = { zone: 'UTC', schema: 'shop', statement: '3500ms', lock: '5s' };

describeWithPgBouncer(
  ['session', 'transaction'] as const,
  'PgBouncer with %s pooling stands in front',
  (mode) => {
    let bouncer: PgBouncer;
    let database: TestDatabase;
    let url: string;
    let pool: Pool;

    const open = (own: Partial<PoolOptions> = {}) =>
      openPool({
        url: `${url}?schema=shop&lock_timeout=5s`,
        applicationName: 'oncepay',
        maxConnections: 4,
        connectTimeoutMs: 20_000,
        queryTimeoutMs: 20_000,
        settings: { statement_timeout: '3500' },
        ...own,
      });

    beforeAll(async () => {
      database = await createEmptyDatabase();
      bouncer = await startPgBouncer(mode, [database.url]);
      url = bouncer.through(database.url);
      await migrate(`${url}?schema=shop`, MIGRATIONS, () => undefined);
      pool = open();
    });
    afterAll(async () => {
      await pool.end();
      await bouncer.close();
      await database.drop();
    });

    test('migrations came through the pooler; a second run finds nothing to do', async () => {
      expect(await migrate(`${url}?schema=shop`, MIGRATIONS, () => undefined)).toEqual([]);
    });

    test('each single statement has its zone, schema and time-outs', async () => {
      const shown = await Promise.all(Array.from({ length: 20 }, () => pool.query(SHOWN)));
      expect(shown.map(({ rows }) => rows[0] as unknown)).toEqual(shown.map(() => SET));
    });

    test('each transaction has them, at every level of isolation', async () => {
      const client = await pool.connect();
      await client.query('BEGIN');
      await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
      expect((await client.query(SHOWN)).rows).toEqual([SET]);
      await client.query('COMMIT');
      client.release();
    });

    test('nothing of it stays for the next user of the connection to the server', async () => {
      await Promise.all(Array.from({ length: 8 }, () => pool.query('SELECT 1')));
      const other = new Client({ connectionString: url });
      await other.connect();
      const { rows } = await other.query<Record<string, string>>(SHOWN);
      await other.end();
      expect(rows[0]).toMatchObject({ schema: 'public', statement: '0', lock: '0' });
    });

    test('a statement that fails has its own error, and the pool goes on', async () => {
      await expect(pool.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });

    test('a statement beyond its time-out is ended by the server', async () => {
      const hasty = open({ settings: { statement_timeout: '50' } });
      await expect(hasty.query('SELECT pg_sleep(3)')).rejects.toMatchObject({ code: '57014' });
      await hasty.end();
    });

    test('callbacks are stored, and stored once', async () => {
      const inbox = createInboxWriter({ url: `${url}?schema=shop`, ...secrets });
      const notice = (id: number) => ({
        notificationId: `n${id % 20}`,
        merchantId: 'm',
        kind: 'payment' as const,
        eventType: null,
        outTradeNo: null,
        resource: `{"n":${id % 20}}`,
      });
      const stored = await Promise.all(
        Array.from({ length: 40 }, (_, id) => inbox.add(notice(id))),
      );
      await inbox.end();
      expect(stored.filter(({ kind }) => kind === 'added')).toHaveLength(20);
      expect(stored.filter(({ kind }) => kind === 'duplicate')).toHaveLength(20);
    });

    test('models and raw SQL in transactions at once: nothing is lost', async () => {
      // PgBouncer's default is 20 connections to the server, and the pool above has four of them.
      const few = { maxConnections: 8, webhooks: false };
      const opened = openDatabase({ url: `${url}?schema=shop`, ...secrets, ...few });
      await opened.products.put({ sku: 'mug', name: 'Mug', kind: 'physical', stock: 1 }, ACTOR);
      await Promise.all(
        Array.from({ length: 6 }, () =>
          opened.products.changeStock('mug', { delta: 1, reason: 'new' }, ACTOR),
        ),
      );
      const health = await opened.health.check(MIGRATIONS);
      const product = await opened.products.find('mug');
      await opened.end();
      expect(product).toMatchObject({ stock: 7 });
      expect(health).toEqual({ reachable: true, reason: null, pendingMigrations: [] });
    });
  },
);
