import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Pool } from 'pg';
import { migrate, pendingMigrations } from '../../../database/core/apply-migrations';
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
  test('applies the files in the order of their names and tells each', async () => {
    const lines: string[] = [];
    const applied = await migrate(database.url, folder, (line) => lines.push(line));
    expect(applied).toEqual(['0001_init', '0002_status']);
    expect(lines).toEqual(['Applied 0001_init.', 'Applied 0002_status.']);
    const { rows } = await pool.query("INSERT INTO orders VALUES ('a') RETURNING status");
    expect(rows).toEqual([{ status: 'created' }]);
  });

  test('keeps the books as Prisma does', async () => {
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

  test('finds nothing to do the second time', async () => {
    await migrate(database.url, folder, silent);
    expect(await migrate(database.url, folder, silent)).toEqual([]);
  });

  test('applies what was added since', async () => {
    await migrate(database.url, folder, silent);
    await write('0003_note', 'ALTER TABLE orders ADD note TEXT;');
    expect(await migrate(database.url, folder, silent)).toEqual(['0003_note']);
  });

  test('lets four at once apply each file exactly once', async () => {
    const results = await Promise.all(
      [1, 2, 3, 4].map(() => migrate(database.url, folder, silent)),
    );
    expect(results.flat().sort()).toEqual(['0001_init', '0002_status']);
    expect(await books()).toHaveLength(2);
  });

  test('waits for whoever holds the lock, as Prisma itself does', async () => {
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

  test('undoes the whole file that fails, keeps those before it, and says which it was', async () => {
    await write('0002_status', `${ADD_STATUS} SELECT nonsense();`);
    await expect(migrate(database.url, folder, silent)).rejects.toThrow(
      /^The migration 0002_status failed and was rolled back: function nonsense\(\) does not exist$/,
    );
    expect(await pendingMigrations(pool, folder)).toEqual(['0002_status']);
    expect((await pool.query('SELECT * FROM orders')).fields.map(({ name }) => name)).toEqual([
      'no',
    ]);
    await write('0002_status', ADD_STATUS);
    expect(await migrate(database.url, folder, silent)).toEqual(['0002_status']);
  });

  test('refuses a file that was changed after it was applied, and applies nothing', async () => {
    await migrate(database.url, folder, silent);
    await write('0001_init', `${CREATE_ORDERS}-- changed\n`);
    await write('0003_note', 'ALTER TABLE orders ADD note TEXT;');
    await expect(migrate(database.url, folder, silent)).rejects.toThrow(
      /^The migration 0001_init was changed after it was applied: /,
    );
    expect(await pendingMigrations(pool, folder)).toEqual(['0003_note']);
  });

  test('refuses to go on after a migration that did not finish', async () => {
    await migrate(database.url, folder, silent);
    await pool.query(`UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = $1`, [
      '0002_status',
    ]);
    await expect(migrate(database.url, folder, silent)).rejects.toThrow(
      /^The migration 0002_status was started earlier and did not finish\. /,
    );
  });

  test('applies again what was marked as rolled back', async () => {
    await migrate(database.url, folder, silent);
    await pool.query('ALTER TABLE orders DROP status');
    await pool.query(
      `UPDATE _prisma_migrations SET finished_at = NULL, rolled_back_at = now()
       WHERE migration_name = '0002_status'`,
    );
    expect(await migrate(database.url, folder, silent)).toEqual(['0002_status']);
  });

  test('leaves a migration alone that only a newer version knows', async () => {
    await migrate(database.url, folder, silent);
    await rm(join(folder, '0002_status'), { recursive: true });
    expect(await migrate(database.url, folder, silent)).toEqual([]);
  });

  test('says in one sentence that the database is away, without its password', async () => {
    const away = 'postgresql://oncepay:secret@127.0.0.1:1/oncepay';
    await expect(migrate(away, folder, silent)).rejects.toThrow(
      /^The database at 127\.0\.0\.1:1 can't be reached: connect ECONNREFUSED 127\.0\.0\.1:1$/,
    );
  });

  test('names a folder it cannot read', async () => {
    await expect(migrate(database.url, '/nowhere', silent)).rejects.toThrow(
      "The migrations folder /nowhere can't be read: check the path.",
    );
  });
});

describe('pendingMigrations', () => {
  test('is all of them on an empty database, and none once they are applied', async () => {
    expect(await pendingMigrations(pool, folder)).toEqual(['0001_init', '0002_status']);
    await migrate(database.url, folder, silent);
    expect(await pendingMigrations(pool, folder)).toEqual([]);
  });

  test('names what was added since', async () => {
    await migrate(database.url, folder, silent);
    await write('0003_note', 'SELECT 1;');
    expect(await pendingMigrations(pool, folder)).toEqual(['0003_note']);
  });

  test('throws when the database is away', async () => {
    const away = new Pool({ connectionString: 'postgresql://oncepay@127.0.0.1:1/oncepay' });
    await expect(pendingMigrations(away, folder)).rejects.toThrow('ECONNREFUSED');
    await away.end();
  });
});

describe('npm run db:migrate', () => {
  const root = join(__dirname, '..', '..', '..');
  const run = (env: NodeJS.ProcessEnv) =>
    promisify(execFile)(process.execPath, [join(root, 'dist/cli/migrate.js')], { env });

  test('applies prisma/migrations, prints each, and has nothing to do the second time', async () => {
    const first = await run({ DATABASE_URL: database.url });
    expect(first.stdout).toMatch(/^Applied 0001_init\.\n/);
    const second = await run({ DATABASE_URL: database.url });
    expect(second.stdout).toBe('The database is up to date.\n');
  });

  test('reads the URL from the file that DATABASE_URL_FILE names', async () => {
    const file = join(folder, 'url');
    await writeFile(file, `${database.url}\n`);
    await run({ DATABASE_URL_FILE: file });
    expect(await readFile(file, 'utf8')).toContain('postgresql://');
    expect(await pendingMigrations(pool, join(root, 'prisma/migrations'))).toEqual([]);
  });

  test('exits with 1 and names the variable that is missing', async () => {
    await expect(run({})).rejects.toMatchObject({ code: 1, stderr: 'DATABASE_URL is missing\n' });
  });
});
