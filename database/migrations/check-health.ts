// Checks for `/readyz` that the database takes orders and is fully migrated.
import type { Pool } from 'pg';
import { describeFailure } from '../connections/describe-failure';
import { pendingMigrations } from './apply-migrations';

/** The state of the database as `/readyz` reports it. */
export interface DatabaseHealth {
  readonly reachable: boolean;
  /** Why it can't be used, without a secret or a value; null when it is reachable. */
  readonly reason: string | null;
  /** Names of the migrations that are not applied yet; null when they could not be read. */
  readonly pendingMigrations: readonly string[] | null;
}

/**
 * Fails at a reader, where nothing can be stored. An error, not a result, because the pool replaces
 * a connection whose statement failed so.
 */
const REFUSE_READER = `DO $$ BEGIN
  IF current_setting('transaction_read_only') = 'on' THEN
    RAISE EXCEPTION 'read-only' USING ERRCODE = 'read_only_sql_transaction';
  END IF;
END $$`;

/** The health check that `/readyz` calls. */
export function createHealth(pool: Pool) {
  return {
    /** Sends the database one small statement. @throws when it does not respond */
    ping: (): Promise<unknown> => pool.query('SELECT 1'),

    /** True when the role of `DATABASE_URL` may do everything. @throws when it is not reachable */
    async isSuperuser(): Promise<boolean> {
      const { rows } = await pool.query<{ rolsuper: boolean }>(
        'SELECT rolsuper FROM pg_roles WHERE rolname = current_user',
      );
      return rows[0]?.rolsuper === true;
    },

    /** The database server's time, in ms since 1970. @throws when it does not respond */
    async nowMs(): Promise<number> {
      const { rows } = await pool.query<{ ms: string }>(
        'SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms',
      );
      return Number(rows[0]?.ms);
    },

    /** Never throws: a database that can't be used counts as unreachable. */
    async check(migrationsDir: string): Promise<DatabaseHealth> {
      try {
        await pool.query(REFUSE_READER);
        const pending = await pendingMigrations(pool, migrationsDir);
        return { reachable: true, reason: null, pendingMigrations: pending };
      } catch (error) {
        return { reachable: false, reason: describeFailure(error), pendingMigrations: null };
      }
    },
  };
}
