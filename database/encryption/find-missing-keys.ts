// Finds encryption keys that rows were encrypted with and that the configuration lacks.
import type { Pool } from 'pg';

/** Every encrypted column, with the column whose order is about that of time. */
export const ENCRYPTED_COLUMNS: readonly (readonly [table: string, id: string, column: string])[] =
  [
    ['orders', 'out_trade_no', 'openid_encrypted'],
    ['orders', 'out_trade_no', 'client_ip_encrypted'],
    ['notification_inbox', 'id', 'resource_encrypted'],
    ['intervention_resolutions', 'id', 'params_encrypted'],
    ['refunds', 'out_refund_no', 'abnormal_encrypted'],
    ['profit_sharing_receivers', 'id', 'account_encrypted'],
    ['profit_sharing_receivers', 'id', 'name_encrypted'],
    ['known_receivers', 'id', 'account_encrypted'],
    ['known_receivers', 'id', 'name_encrypted'],
    ['proposals', 'id', 'request_encrypted'],
    ['product_codes', 'id', 'code_encrypted'],
  ];
/** Read from each end of a table: a key is in use for months, so that one of the ends shows it. */
const ROWS = 500;

const ENDS = ENCRYPTED_COLUMNS.flatMap(([table, id, column]) =>
  ['ASC', 'DESC'].map(
    (direction) =>
      `SELECT value FROM (SELECT ${column} AS value FROM ${table}
        ORDER BY ${id} ${direction} LIMIT ${ROWS}) ${table}_rows`,
  ),
);
const STATEMENT = `SELECT DISTINCT split_part(value, '.', 2) AS id
  FROM (${ENDS.join(' UNION ALL ')}) AS every WHERE value IS NOT NULL ORDER BY 1`;

/**
 * Finds keys that the oldest and the newest rows of each encrypted column need and the ring lacks.
 * It does not read whole tables, so it can miss a key that was used only between them.
 * @returns their ids
 * @throws what `pg` throws
 */
export async function findMissingKeys(
  pool: Pick<Pool, 'query'>,
  ring: readonly { readonly id: string }[],
): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(STATEMENT);
  return rows.map(({ id }) => id).filter((id) => !ring.some((key) => key.id === id));
}
