import type { Database } from '../database/database';
import type { TemporalHealth } from './temporal/connection';

/** An answer is shared by everybody who asks within this. */
const CACHE_MS = 1_000;
const DATABASE_TIMEOUT_MS = 2_000;

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
  let cached: { at: number; answer: Promise<Readiness> } | null = null;

  async function check(): Promise<Readiness> {
    const [database, temporal] = await Promise.all([
      Promise.race([deps.health.check(deps.migrationsDir), noAnswer()]),
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

  return () => {
    if (!cached || deps.now() - cached.at > CACHE_MS) cached = { at: deps.now(), answer: check() };
    return cached.answer;
  };
}

function noAnswer(): Promise<{ reachable: false; pendingMigrations: null }> {
  return new Promise((resolve) => {
    setTimeout(() => resolve({ reachable: false, pendingMigrations: null }), DATABASE_TIMEOUT_MS);
  });
}
