// Disturbs Oncepay's database on purpose, and undoes it: a slow transaction, a broken table.
import { Client } from 'pg';

async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  return client;
}

/**
 * Locks a product's row, as a slow transaction of another program would. Payments still commit,
 * but their effects on stock and sales wait, so that an order stays `paid` while the lock is held.
 * @returns a function that releases the lock
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

/** Moves the time at which WeChat accepted a refund: a demo can't wait for a day to be over. */
export async function acceptRefundAt(
  databaseUrl: string,
  outRefundNo: string,
  at: string,
): Promise<void> {
  const client = await connect(databaseUrl);
  await client.query('UPDATE refunds SET accepted_at = $2 WHERE out_refund_no = $1', [
    outRefundNo,
    at,
  ]);
  await client.end();
}

/**
 * Makes the database refuse the points of one order, and of no other, as a broken table would.
 * @returns a function that repairs it
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
