// The Prisma schema and the migrations describe the same database.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { z } from 'zod';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

const NO_DIFFERENCE = '-- This is an empty migration.\n';

const reportSchema = z.object({
  appliedByPrisma: z.array(z.string()),
  databaseToSchema: z.string(),
  migrationsToSchema: z.string(),
  history: z.object({
    editedMigrationNames: z.array(z.string()),
    failedMigrationNames: z.array(z.string()),
    hasMigrationsTable: z.boolean(),
    history: z.null(),
  }),
});

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});

afterEach(() => database.drop());

async function compare(): Promise<z.infer<typeof reportSchema>> {
  const script = join(__dirname, '..', 'support', 'check-schema.mjs');
  const env = { ...process.env, DATABASE_URL: database.url };
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env });
  return reportSchema.parse(JSON.parse(stdout));
}

async function execute(sql: string): Promise<void> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(sql);
  await client.end();
}

test('schema.prisma and the migrated database agree, and Prisma accepts them', async () => {
  const report = await compare();
  expect(report.appliedByPrisma).toEqual([]);
  expect(report.databaseToSchema).toBe(NO_DIFFERENCE);
  expect(report.migrationsToSchema).toBe(NO_DIFFERENCE);
  expect(report.history).toEqual({
    editedMigrationNames: [],
    failedMigrationNames: [],
    hasMigrationsTable: true,
    history: null,
  });
});

test('a column that only the database has is found', async () => {
  await execute('ALTER TABLE orders ADD COLUMN forgotten TEXT');
  const report = await compare();
  expect(report.databaseToSchema).toContain('DROP COLUMN "forgotten"');
  expect(report.migrationsToSchema).toBe(NO_DIFFERENCE);
});
