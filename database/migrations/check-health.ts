// Checks for `/readyz` that the database is reachable and fully migrated.
import type { Pool } from 'pg';
import { pendingMigrations } from './apply-migrations';

/** The state of the database as `/readyz` reports it. */
export interface DatabaseHealth {
  readonly reachable: boolean;
  /** Names of the migrations that are not applied yet; null when they could not be read. */
  readonly pendingMigrations: readonly string[] | null;
}

/** The health check that `/readyz` calls. */
export function createHealth(pool: Pool) {
  return {
    /** Sends the database one small statement. @throws when it does not respond */
    ping: (): Promise<unknown> => pool.query('SELECT 1'),

    /** Never throws: a database that can't be read counts as unreachable. */
    async check(migrationsDir: string): Promise<DatabaseHealth> {
      try {
        return { reachable: true, pendingMigrations: await pendingMigrations(pool, migrationsDir) };
      } catch {
        return { reachable: false, pendingMigrations: null };
      }
    },
  };
}
