// Tells whether the api can accept callbacks, for /readyz.
import type { Database } from '../../database/database';
import { orElse, shared } from './readings';
import type { TemporalHealth } from '../temporal/connection';

/** Requests within this time share one check. */
const CACHE_MS = 1_000;
/** Keys change seldom, and looking for missing ones reads thousands of rows. */
const KEYS_CACHE_MS = 60_000;
const DATABASE_TIMEOUT_MS = 2_000;
const NO_RESPONSE = {
  reachable: false,
  reason: 'no response in time',
  pendingMigrations: null,
};

/** Whether callbacks can be accepted, and the state of each dependency. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: object;
}

/**
 * Makes the check. The api is ready when it can accept callbacks, which needs the database with all
 * migrations. The reply shows the other dependencies too, also Temporal, but they do not decide.
 */
export function createReadiness(deps: {
  health: Database['health'];
  /** Ids of encryption keys that rows need and the configuration lacks. */
  missingKeys: () => Promise<readonly string[]>;
  migrationsDir: string;
  temporal: () => Promise<TemporalHealth>;
  now: () => number;
}): () => Promise<Readiness> {
  const missingKeys = shared(KEYS_CACHE_MS, deps.now, deps.missingKeys);
  async function check(): Promise<Readiness> {
    const [database, temporal, missing] = await Promise.all([
      orElse(deps.health.check(deps.migrationsDir), DATABASE_TIMEOUT_MS, NO_RESPONSE),
      deps.temporal(),
      orElse(missingKeys(), DATABASE_TIMEOUT_MS, null),
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
        ...(database.reason === null ? {} : { database_reason: database.reason }),
        migrations,
        temporal: temporal.temporal,
        search_attributes: temporal.searchAttributes,
        encryption_keys: describeKeys(missing),
      },
    };
  }

  return shared(CACHE_MS, deps.now, check);
}

function describeKeys(missing: readonly string[] | null): string {
  if (missing === null) return 'unknown';
  return missing.length === 0 ? 'ok' : `missing: ${missing.join(', ')}`;
}
