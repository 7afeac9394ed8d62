// Hands out the Temporal namespaces of the test run, each to one caller.
import { Client } from 'pg';
import { z } from 'zod';
import { published } from './servers';

const rowsSchema = z.tuple([z.object({ taken: z.coerce.number() })]);

/**
 * Returns the test run's Temporal server and a namespace that no other caller of this run gets.
 * @throws when the run has used up its namespaces (see global-setup)
 */
export async function claimTestNamespace(): Promise<{ address: string; namespace: string }> {
  const namespaces = published('ONCEPAY_TEST_NAMESPACES').split(',');
  const client = new Client({ connectionString: published('ONCEPAY_TEST_DATABASE_URL') });
  await client.connect();
  try {
    const { rows } = await client.query("SELECT nextval('test_namespaces') AS taken");
    const [{ taken }] = rowsSchema.parse(rows);
    const namespace = namespaces[taken - 1];
    if (namespace === undefined) throw new Error('No test namespace is left: raise NAMESPACES.');
    return { address: published('ONCEPAY_TEST_TEMPORAL_ADDRESS'), namespace };
  } finally {
    await client.end();
  }
}
