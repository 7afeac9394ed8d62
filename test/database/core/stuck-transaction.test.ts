/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests that a connection with an open transaction is not used again.
import { Client, Pool } from 'pg';
import { startTcpProxy } from '../../support/tcp-proxy';
import { createTestDatabase } from '../../support/test-database';
import { until } from '../../support/until';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

const ACTOR = { name: 'shop', role: 'merchant' };

test('a statement hangs inside a transaction: its connection is not used again', async () => {
  const database = await createTestDatabase();
  const url = new URL(database.url);
  const proxy = await startTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  const sql = new Pool({ connectionString: database.url, max: 2 });
  const one = openDatabase({ url: url.href, ...secrets, webhooks: false, maxConnections: 1 });
  const blocker = new Client({ connectionString: database.url });
  await blocker.connect();
  const sessions = async (state: string) =>
    (
      await sql.query(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'oncepay' AND state = $1`,
        [state],
      )
    ).rowCount ?? 0;
  try {
    await one.products.put({ sku: 'mug', name: 'Mug', kind: 'physical', stock: 1 }, ACTOR);
    await sql.query(
      `INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, out_trade_no,
         content_hash, resource_encrypted, next_attempt_at)
       VALUES (gen_random_uuid(), 'm', 'n', 'payment', 'SOMEORDER', 'h', 'r',
          now() - interval '1 minute')`,
    );
    await blocker.query(`BEGIN; SELECT 1 FROM products WHERE sku = 'mug' FOR UPDATE`);
    const stuck = one.products.changeStock('mug', { delta: 5, reason: 'stuck' }, ACTOR);
    const failure = stuck.then(
      () => null,
      (error: unknown) => error,
    );
    await until('its statement waits for the lock', async () =>
      (await sessions('active')) === 1 ? true : null,
    );
    // The statement goes through at the server; nothing of it reaches the caller any more.
    proxy.hang();
    await blocker.query('COMMIT');
    await until('the session waits inside its transaction', async () =>
      (await sessions('idle in transaction')) === 1 ? true : null,
    );
    expect(await failure).not.toBeNull();
    await proxy.pass();
    // This statement has succeeded, so it must be committed, not left in an open transaction.
    const leased = await one.overdue.leaseNotices(1, Date.now());
    expect(leased).toMatchObject([{ outTradeNo: 'SOMEORDER' }]);
    const { rows } = await sql.query(
      `SELECT attempts, (SELECT count(*)::int FROM stock_movements) AS movements
       FROM notification_inbox`,
    );
    expect(rows).toEqual([{ attempts: 1, movements: 0 }]);
  } finally {
    await blocker.end();
    await one.end();
    await sql.end();
    await proxy.close();
    await database.drop();
  }
});
