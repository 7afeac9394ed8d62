import { Client } from 'pg';

/**
 * Locks a product's row as a slow transaction of somebody else would: payments still commit, but their
 * effects on stock and sales wait, so that an order stays `paid` for as long as this is held.
 * @returns lets go of it
 */
export async function lockProduct(databaseUrl: string, sku: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM products WHERE sku = $1 FOR UPDATE', [sku]);
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}
