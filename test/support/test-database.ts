// Databases of a test's own, on the Postgres server of the test run.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { databaseUrlFor } from '../../stack/postgres/database-url';
import { published } from './servers';

async function onServer<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: published('ONCEPAY_TEST_DATABASE_URL') });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** A pool's `end()` resolves before the server has closed its sessions; give them this long. */
const LEAVE_MS = 2_000;
const POLL_MS = 20;

async function drop(name: string): Promise<void> {
  await onServer(async (client) => {
    const deadline = Date.now() + LEAVE_MS;
    const busy = 'SELECT 1 FROM pg_stat_activity WHERE datname = $1';
    while ((await client.query(busy, [name])).rowCount !== 0 && Date.now() < deadline) {
      await delay(POLL_MS);
    }
    await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
  });
}

/** A database of a test's own, on the Postgres server of this test run. */
export interface TestDatabase {
  readonly url: string;
  /** Drops the database after its sessions have ended, or together with those that don't end. */
  drop(): Promise<void>;
}

/** A copy of a database to which nobody is connected. */
export async function createDatabaseFrom(template: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await onServer((client) => client.query(`CREATE DATABASE "${name}" TEMPLATE "${template}"`));
  return {
    url: databaseUrlFor(published('ONCEPAY_TEST_DATABASE_URL'), name),
    drop: () => drop(name),
  };
}

/** A database with every migration applied: a copy of the template that the test run migrated. */
export function createTestDatabase(): Promise<TestDatabase> {
  return createDatabaseFrom(published('ONCEPAY_TEST_TEMPLATE'));
}

/** An empty database. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabaseFrom('template0');
}
