// Starts one Postgres and one Temporal server for the whole test run, and publishes their
// addresses.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { migrate } from '../../../database/migrations/apply-migrations';
import { type Stack, startStack } from '../../../stack/stack';

declare global {
  var oncepayTestStack: Stack | undefined;
}

/** One namespace for each test file that uses Temporal, so that their task queues don't mix. */
const NAMESPACES = Array.from({ length: 64 }, (_, index) => `t${index + 1}`);
/** Usual in China, and far from UTC and from the zone of the processes (jest.config.cjs). */
const DATABASE_TIME_ZONE = 'Asia/Shanghai';
const TEMPLATE = 'oncepay_template';
const MIGRATIONS_DIR = join(__dirname, '..', '..', '..', 'prisma', 'migrations');

async function makeTemplate(stack: Stack): Promise<void> {
  const url = await stack.createDatabase(TEMPLATE);
  const entries = await readdir(MIGRATIONS_DIR, { withFileTypes: true });
  if (entries.some((entry) => entry.isDirectory())) {
    await migrate(url, MIGRATIONS_DIR, () => undefined);
  }
  const client = new Client({ connectionString: stack.databaseUrl });
  await client.connect();
  await client.query('CREATE SEQUENCE test_namespaces');
  await client.end();
}

export default async function globalSetup(): Promise<void> {
  const stack = await startStack({
    durable: false,
    databaseTimeZone: DATABASE_TIME_ZONE,
    temporal: { namespaces: NAMESPACES, rareCollections: true },
    log: (line) => process.stderr.write(`${line}\n`),
  });
  globalThis.oncepayTestStack = stack;
  try {
    await makeTemplate(stack);
  } catch (error) {
    await stack.stop();
    throw error;
  }
  process.env['ONCEPAY_TEST_DATABASE_URL'] = stack.databaseUrl;
  process.env['ONCEPAY_TEST_TEMPLATE'] = TEMPLATE;
  process.env['ONCEPAY_TEST_TEMPORAL_ADDRESS'] = stack.temporalAddress;
  process.env['ONCEPAY_TEST_NAMESPACES'] = NAMESPACES.join(',');
}
