import type { Pool } from 'pg';
import { pendingMigrations } from './apply-migrations';

export interface DatabaseHealth {
  readonly reachable: boolean;
  /** Names of migrations not yet applied; null when that could not be read. */
  readonly pendingMigrations: readonly string[] | null;
}

/** For `/readyz`. */
export function createHealth(pool: Pool) {
  return {
    async check(migrationsDir: string): Promise<DatabaseHealth> {
      try {
        return { reachable: true, pendingMigrations: await pendingMigrations(pool, migrationsDir) };
      } catch {
        return { reachable: false, pendingMigrations: null };
      }
    },
  };
}
