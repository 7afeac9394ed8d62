import { Client } from 'pg';

/** Trouble that only somebody beside Oncepay can make: through the database, and taken back again. */

async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  return client;
}

/**
 * Locks a product's row as a slow transaction of somebody else would: payments still commit, but their
 * effects on stock and sales wait, so that an order stays `paid` for as long as this is held.
 * @returns lets go of it
 */
export async function lockProduct(databaseUrl: string, sku: string): Promise<() => Promise<void>> {
  const client = await connect(databaseUrl);
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM products WHERE sku = $1 FOR UPDATE', [sku]);
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}

/**
 * The database refuses the points of one order, and of no other, as a broken table would.
 * @returns mends it
 */
export async function refusePoints(
  databaseUrl: string,
  outTradeNo: string,
): Promise<() => Promise<void>> {
  const client = await connect(databaseUrl);
  const name = client.escapeIdentifier(`refuse_${outTradeNo}`);
  const number = client.escapeLiteral(outTradeNo);
  await client.query(
    `ALTER TABLE points_entries
     ADD CONSTRAINT ${name} CHECK (out_trade_no <> ${number}) NOT VALID`,
  );
  return async () => {
    await client.query(`ALTER TABLE points_entries DROP CONSTRAINT ${name}`);
    await client.end();
  };
}
