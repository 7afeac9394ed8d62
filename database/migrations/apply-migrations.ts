// Applies the migrations of prisma/migrations that the database does not have yet.
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { types } from 'node:util';
import { Client, DatabaseError, type Pool } from 'pg';

/*
 * The runner does what `prisma migrate deploy` does and keeps the same table of applied migrations:
 * either can continue where the other stopped. One difference: each file is one transaction. So a
 * migration here can't have a statement that refuses to run inside one (CREATE INDEX CONCURRENTLY).
 */

/** The key of Prisma's own advisory lock: its CLI and this runner never work at the same time. */
const LOCK_KEY = 72_707_369;
/** How long to wait for another process that applies a long migration. */
const LOCK_WAIT = '15min';
const CONNECT_TIMEOUT_MS = 10_000;
const UNDEFINED_TABLE = '42P01';

/** The table of applied migrations, as Prisma's schema engine creates it. */
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;
const RECORDED = `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
  FROM "_prisma_migrations" WHERE rolled_back_at IS NULL`;
const RECORD = `INSERT INTO "_prisma_migrations"
  (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
  VALUES ($1, $2, clock_timestamp(), $3, now(), 1)`;

interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file's bytes, in hex. */
  readonly checksum: string;
}

interface RecordedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Says in one sentence, for the operator who started it, why the migrations can't be applied. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

async function migrationNames(migrationsDir: string): Promise<string[]> {
  const entries = await readdir(migrationsDir, { withFileTypes: true }).catch(() => {
    throw new MigrationError(
      `The migrations folder ${migrationsDir} can't be read: check the path.`,
    );
  });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function readMigration(migrationsDir: string, name: string): Promise<Migration> {
  const bytes = await readFile(join(migrationsDir, name, 'migration.sql')).catch(() => {
    throw new MigrationError(`The file migration.sql of the migration ${name} can't be read.`);
  });
  return {
    name,
    sql: bytes.toString('utf8'),
    checksum: createHash('sha256').update(bytes).digest('hex'),
  };
}

function refuseBrokenHistory(
  migrations: readonly Migration[],
  recorded: readonly RecordedMigration[],
): void {
  const failed = recorded.find((row) => !row.finished);
  if (failed !== undefined) {
    throw new MigrationError(
      `The migration ${failed.name} was started earlier and did not finish. ` +
        'Repair the database, then mark it with `prisma migrate resolve`.',
    );
  }
  const checksums = new Map(migrations.map(({ name, checksum }) => [name, checksum]));
  const changed = recorded.find(
    (row) => (checksums.get(row.name) ?? row.checksum) !== row.checksum,
  );
  if (changed !== undefined) {
    throw new MigrationError(
      `The migration ${changed.name} was changed after it was applied. ` +
        'Restore its file and put the change into a new migration.',
    );
  }
}

async function apply(client: Client, migration: Migration): Promise<void> {
  try {
    await client.query('BEGIN');
    await client.query(migration.sql);
    await client.query(RECORD, [randomUUID(), migration.checksum, migration.name]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {
      // The error of the migration counts; the session ends anyway, and PostgreSQL then rolls back.
    });
    const reason = types.isNativeError(error) ? error.message : String(error);
    throw new MigrationError(
      `The migration ${migration.name} failed and was rolled back: ${reason}`,
    );
  }
}

async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'oncepay-migrate',
  });
  client.on('error', () => {
    // The running query fails with the same error. Without a listener it would end the process.
  });
  try {
    await client.connect();
    // By a statement and never in the start-up packet: the migration 0010 reads from pg_settings in
    // which zone a session of this role and database begins.
    await client.query("SET TimeZone = 'UTC'");
    return client;
  } catch (error) {
    const reason =
      types.isNativeError(error) && error.message !== '' ? error.message : 'no response';
    throw new MigrationError(
      `The database at ${client.host}:${client.port} can't be reached: ${reason}`,
    );
  }
}

/**
 * Applies, in the order of their names, the migrations that the database does not have yet. Of two
 * processes at once one waits and then finds nothing to do.
 * @param migrationsDir the folder of `<name>/migration.sql`, such as prisma/migrations
 * @param log gets a line for each migration applied, and before it those that the file raises as a
 * warning
 * @returns the names of those it applied
 * @throws MigrationError when the database is away, a file fails (what it did is undone), an
 * applied file was changed, or an earlier migration did not finish
 * @see
 * https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/migration-histories
 */
export async function migrate(
  databaseUrl: string,
  migrationsDir: string,
  log: (line: string) => void,
): Promise<string[]> {
  const names = await migrationNames(migrationsDir);
  const migrations = await Promise.all(names.map((name) => readMigration(migrationsDir, name)));
  const client = await connect(databaseUrl);
  // A migration says so what the operator has to know.
  client.on('notice', ({ severity, message }) => {
    if (severity === 'WARNING' && message !== undefined) log(message);
  });
  try {
    await client.query(`SET lock_timeout = '${LOCK_WAIT}'`);
    await client.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    await client.query('RESET lock_timeout');
    await client.query(MIGRATIONS_TABLE);
    const { rows } = await client.query<RecordedMigration>(RECORDED);
    refuseBrokenHistory(migrations, rows);
    const known = new Set(rows.map((row) => row.name));
    const due = migrations.filter(({ name }) => !known.has(name));
    for (const migration of due) {
      await apply(client, migration);
      log(`Applied ${migration.name}.`);
    }
    return due.map(({ name }) => name);
  } finally {
    // Ends the session, and with it the lock.
    await client.end();
  }
}

/**
 * The names of the migrations in the folder that the database has not finished, in order.
 * @throws what `pg` throws when the database is away
 */
export async function pendingMigrations(pool: Pool, migrationsDir: string): Promise<string[]> {
  const names = await migrationNames(migrationsDir);
  try {
    const { rows } = await pool.query<RecordedMigration>(RECORDED);
    const finished = new Set(rows.filter((row) => row.finished).map((row) => row.name));
    return names.filter((name) => !finished.has(name));
  } catch (error) {
    if (error instanceof DatabaseError && error.code === UNDEFINED_TABLE) return names;
    throw error;
  }
}
