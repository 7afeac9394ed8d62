// Tests the runner of migrations and `npm run db:migrate`.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Pool } from 'pg';
import { migrate, pendingMigrations } from '../../../database/migrations/apply-migrations';
import { createEmptyDatabase, type TestDatabase } from '../../support/test-database';

const CREATE_ORDERS = 'CREATE TABLE orders (no TEXT PRIMARY KEY);\n';
const ADD_STATUS = "ALTER TABLE orders ADD status TEXT NOT NULL DEFAULT 'created';\n";
const silent = () => undefined;

let database: TestDatabase;
let folder: string;
let pool: Pool;

async function write(name: string, sql: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, name, 'migration.sql'), sql);
}

async function books(): Promise<unknown[]> {
  const { rows } = await pool.query<Record<string, unknown>>(
    `SELECT migration_name, checksum, logs, rolled_back_at, applied_steps_count,
       length(id) AS id_length, finished_at >= started_at AS finished
     FROM _prisma_migrations ORDER BY migration_name`,
  );
  return rows;
}

beforeEach(async () => {
  database = await createEmptyDatabase();
  pool = new Pool({ connectionString: database.url });
  folder = await mkdtemp(join(tmpdir(), 'oncepay-migrations-'));
  await write('0002_status', ADD_STATUS);
  await write('0001_init', CREATE_ORDERS);
  await writeFile(join(folder, 'migration_lock.toml'), 'provider = "postgresql"\n');
});

afterEach(async () => {
  await pool.end();
  await database.drop();
  await rm(folder, { recursive: true });
});

describe('migrate', () => {
  test('migrate applies the files in the order of their names and logs each', async () => {
    const lines: string[] = [];
    const applied = await migrate(database.url, folder, (line) => lines.push(line));
    expect(applied).toEqual(['0001_init', '0002_status']);
    expect(lines).toEqual(['Applied 0001_init.', 'Applied 0002_status.']);
    const { rows } = await pool.query("INSERT INTO orders VALUES ('a') RETURNING status");
    expect(rows).toEqual([{ status: 'created' }]);
  });

  test('migrate writes the same rows about migrations as Prisma', async () => {
    await migrate(database.url, folder, silent);
    const sha256 = (sql: string) => createHash('sha256').update(sql).digest('hex');
    const row = {
      logs: null,
      rolled_back_at: null,
      applied_steps_count: 1,
      id_length: 36,
      finished: true,
    };
    expect(await books()).toEqual([
      { migration_name: '0001_init', checksum: sha256(CREATE_ORDERS), ...row },
      { migration_name: '0002_status', checksum: sha256(ADD_STATUS), ...row },
    ]);
  });

  test('migrate run twice applies nothing the second time', async () => {
    await migrate(database.url, folder, silent);
    expect(await migrate(database.url, folder, silent)).toEqual([]);
  });

  test('migrate applies the files that were added since its last run', async () => {
    await migrate(database.url, folder, silent);
    await write('0003_note', 'ALTER TABLE orders ADD note TEXT;');
    expect(await migrate(database.url, folder, silent)).toEqual(['0003_note']);
  });

  test('four processes migrate at once: each file is applied exactly once', async () => {
    const results = await Promise.all(
      [1, 2, 3, 4].map(() => migrate(database.url, folder, silent)),
    );
    expect(results.flat().sort()).toEqual(['0001_init', '0002_status']);
    expect(await books()).toHaveLength(2);
  });

  test('migrate waits while another process holds the lock of Prisma', async () => {
    const holder = new Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('SELECT pg_advisory_lock(72707369)');
    const migrating = migrate(database.url, folder, silent);
    const waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while ((await pool.query(waiting)).rowCount === 0);
    expect(await pendingMigrations(pool, folder)).toHaveLength(2);
    await holder.end();
    expect(await migrating).toHaveLength(2);
  });

  test('a file fails: migrate rolls back this file only, and names it', async () => {
    await write('0002_status', `${ADD_STATUS} SELECT nonsense();`);
    await expect(migrate(database.url, folder, silent)).rejects.toThrow(
      new RegExp(
        '^The migration 0002_status failed and was rolled back: ' +
          'function nonsense\\(\\) does not exist$',
      ),
    );
    expect(await pendingMigrations(pool, folder)).toEqual(['0002_status']);
    expect((await pool.query('SELECT * FROM orders')).fields.map(({ name }) => name)).toEqual([
      'no',
    ]);
    await write('0002_status', ADD_STATUS);
    expect(await migrate(database.url, folder, silent)).toEqual(['0002_status']);
  });

  test('a file was changed after it was applied: migrate refuses and applies nothing', async () => {
    await migrate(database.url, folder, silent);
    await write('0001_init', `${CREATE_ORDERS}-- changed\n`);
    await write('0003_note', 'ALTER TABLE orders ADD note TEXT;');
    await expect(migrate(database.url, folder, silent)).rejects.toThrow(
      /^The migration 0001_init was changed after it was applied\. /,
    );
    expect(await pendingMigrations(pool, folder)).toEqual(['0003_note']);
  });

  test('a migration did not finish earlier: migrate refuses to continue', async () => {
    await migrate(database.url, folder, silent);
    await pool.query(`UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = $1`, [
      '0002_status',
    ]);
    await expect(migrate(database.url, folder, silent)).rejects.toThrow(
      /^The migration 0002_status was started earlier and did not finish\. /,
    );
  });

  test('a migration is marked as rolled back: migrate applies it again', async () => {
    await migrate(database.url, folder, silent);
    await pool.query('ALTER TABLE orders DROP status');
    await pool.query(
      `UPDATE _prisma_migrations SET finished_at = NULL, rolled_back_at = now()
       WHERE migration_name = '0002_status'`,
    );
    expect(await migrate(database.url, folder, silent)).toEqual(['0002_status']);
  });

  test('the database has a migration of a newer version: migrate leaves it alone', async () => {
    await migrate(database.url, folder, silent);
    await rm(join(folder, '0002_status'), { recursive: true });
    expect(await migrate(database.url, folder, silent)).toEqual([]);
  });

  test('the database is down: migrate says so in one sentence without the password', async () => {
    const away = 'postgresql://oncepay:secret@127.0.0.1:1/oncepay';
    await expect(migrate(away, folder, silent)).rejects.toThrow(
      /^The database at 127\.0\.0\.1:1 can't be reached: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    );
  });

  test('the folder can not be read: migrate names it', async () => {
    await expect(migrate(database.url, '/nowhere', silent)).rejects.toThrow(
      "The migrations folder /nowhere can't be read: check the path.",
    );
  });
});

describe('pendingMigrations', () => {
  test('pendingMigrations: all on an empty database, none after they are applied', async () => {
    expect(await pendingMigrations(pool, folder)).toEqual(['0001_init', '0002_status']);
    await migrate(database.url, folder, silent);
    expect(await pendingMigrations(pool, folder)).toEqual([]);
  });

  test('pendingMigrations names the files that were added since', async () => {
    await migrate(database.url, folder, silent);
    await write('0003_note', 'SELECT 1;');
    expect(await pendingMigrations(pool, folder)).toEqual(['0003_note']);
  });

  test('pendingMigrations throws when the database is down', async () => {
    const away = new Pool({ connectionString: 'postgresql://oncepay@127.0.0.1:1/oncepay' });
    await expect(pendingMigrations(away, folder)).rejects.toThrow('ECONNREFUSED');
    await away.end();
  });
});

describe('npm run db:migrate', () => {
  const root = join(__dirname, '..', '..', '..');
  const run = (env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, [join(root, 'dist/cli/migrate.js')], { env });

  test('npm run db:migrate prints each migration, and applies none the second time', async () => {
    const first = await run({ DATABASE_URL: database.url });
    expect(first.stdout).toMatch(/^Applied 0001_init\.\n/);
    const second = await run({ DATABASE_URL: database.url });
    expect(second.stdout).toBe('The database is up to date.\n');
  });

  test('npm run db:migrate reads the URL from the file that DATABASE_URL_FILE names', async () => {
    const file = join(folder, 'url');
    await writeFile(file, `${database.url}\n`);
    await run({ DATABASE_URL_FILE: file });
    expect(await readFile(file, 'utf8')).toContain('postgresql://');
    expect(await pendingMigrations(pool, join(root, 'prisma/migrations'))).toEqual([]);
  });

  test('npm run db:migrate without its variable exits with 1 and names the variable', async () => {
    await expect(run({})).rejects.toMatchObject({ code: 1, stderr: 'DATABASE_URL is missing\n' });
  });
});
