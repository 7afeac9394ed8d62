import type { Database } from '../../database/database';
import { orElse, shared } from './readings';
import type { TemporalHealth } from '../temporal/connection';

/** An answer is shared by everybody who asks within this. */
const CACHE_MS = 1_000;
const DATABASE_TIMEOUT_MS = 2_000;
const NO_ANSWER = { reachable: false, pendingMigrations: null };

export interface Readiness {
  readonly ready: boolean;
  readonly checks: object;
}

/**
 * Ready is who can do the first duty: accept callbacks. That needs the database with all migrations;
 * what else is up or down is told beside it, Temporal included.
 */
export function createReadiness(deps: {
  health: Database['health'];
  migrationsDir: string;
  temporal: () => Promise<TemporalHealth>;
  now: () => number;
}): () => Promise<Readiness> {
  async function check(): Promise<Readiness> {
    const [database, temporal] = await Promise.all([
      orElse(deps.health.check(deps.migrationsDir), DATABASE_TIMEOUT_MS, NO_ANSWER),
      deps.temporal(),
    ]);
    const pending = database.pendingMigrations;
    const migrations =
      pending === null
        ? 'unknown'
        : pending.length === 0
          ? 'current'
          : `pending: ${pending.join(', ')}`;
    return {
      ready: database.reachable && pending?.length === 0,
      checks: {
        database: database.reachable ? 'up' : 'down',
        migrations,
        temporal: temporal.temporal,
        search_attributes: temporal.searchAttributes,
      },
    };
  }

  return shared(CACHE_MS, deps.now, check);
}
