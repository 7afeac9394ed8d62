// Applies the migrations of prisma/migrations that the database does not have yet.
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { types } from 'node:util';
import type { Client, Pool } from 'pg';
import { readDatabaseUrl } from '../../domain/settings/database-url';
import { findSchema } from '../connections/model-adapter';
import { openConnection } from '../connections/open-connections';
import { codeOf } from '../connections/session';

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
const INSUFFICIENT_PRIVILEGE = '42501';
/**
 * Prisma writes this statement before the first table. It needs the right to create schemas also
 * where the schema exists; and the tables may be in another schema, which the runner makes.
 */
const MAKES_PUBLIC = /^CREATE SCHEMA IF NOT EXISTS "public";$/m;

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

/**
 * Runs the work in one transaction, alone: the lock lasts as long as the transaction. A lock of the
 * session would be lost behind a pooler, where the next transaction may have another session.
 */
async function alone<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    // The state that the lock's last holder left must be seen, so no older snapshot is kept.
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
    await client.query(`SET LOCAL lock_timeout = '${LOCK_WAIT}'`);
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY]);
    await client.query('SET LOCAL lock_timeout TO DEFAULT');
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {
      // The first error counts; the session ends anyway, and PostgreSQL then rolls back.
    });
    throw error;
  }
}

const inSchema = (client: Client, schema: string) =>
  client.query(`SELECT set_config('search_path', quote_ident($1), true)`, [schema]);

/** @returns the schema of our tables; it exists, and has the table of applied migrations */
async function prepareSchema(client: Client, named: string | null): Promise<string> {
  const schema = named ?? (await findSchema(client));
  if (schema === null) {
    throw new MigrationError(
      "The role's search_path names no schema that exists: create it, or name one in " +
        'DATABASE_URL with `?schema=`.',
    );
  }
  const { rowCount } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [
    schema,
  ]);
  try {
    if (rowCount === 0) await client.query(`CREATE SCHEMA "${schema}"`);
    await inSchema(client, schema);
    const { rows } = await client.query(`SELECT 1 WHERE to_regclass('_prisma_migrations') IS NULL`);
    if (rows.length > 0) await client.query(MIGRATIONS_TABLE);
    return schema;
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new MigrationError(
      rowCount === 0
        ? `The schema ${schema} does not exist, and the role may not create it. As a superuser: ` +
            `CREATE SCHEMA "${schema}" AUTHORIZATION the role.`
        : `The role may not create tables in the schema ${schema}. Give it a schema of its own ` +
            'and name it in DATABASE_URL with `?schema=`, or grant it CREATE on this one.',
    );
  }
}

async function apply(client: Client, migration: Migration): Promise<void> {
  try {
    await client.query(migration.sql.replace(MAKES_PUBLIC, ''));
    await client.query(RECORD, [randomUUID(), migration.checksum, migration.name]);
  } catch (error) {
    const reason = types.isNativeError(error) ? error.message : String(error);
    throw new MigrationError(
      `The migration ${migration.name} failed and was rolled back: ${reason}`,
    );
  }
}

/** Applies the first migration that is due. @returns its name; null when none is due */
async function applyNext(
  client: Client,
  schema: string,
  migrations: readonly Migration[],
): Promise<string | null> {
  return alone(client, async () => {
    await inSchema(client, schema);
    const { rows } = await client.query<RecordedMigration>(RECORDED);
    refuseBrokenHistory(migrations, rows);
    const known = new Set(rows.map((row) => row.name));
    const due = migrations.find(({ name }) => !known.has(name));
    if (due !== undefined) await apply(client, due);
    return due?.name ?? null;
  });
}

async function connect(databaseUrl: string): Promise<Client> {
  try {
    return await openConnection({
      url: databaseUrl,
      applicationName: 'oncepay-migrate',
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
  } catch (error) {
    const reason =
      types.isNativeError(error) && error.message !== '' ? error.message : 'no response';
    const { host, hostname, port } = new URL(databaseUrl);
    const at = port === '' ? `${hostname === '' ? 'the socket' : hostname}:5432` : host;
    throw new MigrationError(`The database at ${at} can't be reached: ${reason}`);
  }
}

/**
 * Applies, in the order of their names, the migrations that the database does not have yet. Of two
 * processes at once each applies those that the other has not. The tables are made in the schema
 * of the URL, or else in that of the role; the schema of the URL is created when it is missing.
 * @param migrationsDir the folder of `<name>/migration.sql`, such as prisma/migrations
 * @param log gets a line for each migration applied, and before it those that the file raises as a
 * warning
 * @returns the names of those it applied
 * @throws MigrationError when the database is away, the role may not create schema or tables, a
 * file fails (what it did is undone), an applied file was changed, or an earlier migration did not
 * finish
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
    const named = readDatabaseUrl(databaseUrl).schema;
    const schema = await alone(client, () => prepareSchema(client, named));
    const applied: string[] = [];
    for (;;) {
      const name = await applyNext(client, schema, migrations);
      if (name === null) return applied;
      applied.push(name);
      log(`Applied ${name}.`);
    }
  } finally {
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
    if (codeOf(error) === UNDEFINED_TABLE) return names;
    throw error;
  }
}
