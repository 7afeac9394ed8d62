// Tells whether the api can accept callbacks, for /readyz.
import type { Database } from '../../database/database';
import { orElse, shared } from './readings';
import type { TemporalHealth } from '../temporal/connection';

/** Requests within this time share one check. */
const CACHE_MS = 1_000;
const DATABASE_TIMEOUT_MS = 2_000;
const NO_RESPONSE = {
  reachable: false,
  reason: 'no response in time',
  pendingMigrations: null,
};

/** No process has swept for so long: each one with the role ops sweeps every ten seconds. */
const SWEEP_SILENCE_MS = 60_000;
/** WeChat refuses requests, and Oncepay callbacks, whose time is more than 300 s away. */
const MAX_SKEW_MS = 30_000;

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
  migrationsDir: string;
  temporal: () => Promise<TemporalHealth>;
  marks: Pick<Database['alertMarks'], 'takenAt'>;
  /** The host of WeChat Pay in use. */
  wechatpayHost: string;
  now: () => number;
}): () => Promise<Readiness> {
  const { health, marks, now } = deps;
  async function check(): Promise<Readiness> {
    const [database, temporal, sweptAt, skewMs] = await Promise.all([
      orElse(health.check(deps.migrationsDir), DATABASE_TIMEOUT_MS, NO_RESPONSE),
      deps.temporal(),
      orElse(marks.takenAt('sweep'), DATABASE_TIMEOUT_MS, null),
      orElse(measureSkewMs(deps), DATABASE_TIMEOUT_MS, null),
    ]);
    const sweeps = sweptAt !== null && now() - sweptAt.getTime() <= SWEEP_SILENCE_MS;
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
        sweep: sweeps ? 'up' : 'stopped',
        clock: describeClock(skewMs),
        wechatpay: deps.wechatpayHost,
      },
    };
  }

  return shared(CACHE_MS, deps.now, check);
}

/** How far our clock is ahead of the database server's, which all processes share, in ms. */
async function measureSkewMs({
  health,
  now,
}: {
  health: Pick<Database['health'], 'nowMs'>;
  now: () => number;
}): Promise<number> {
  const sentMs = now();
  const theirMs = await health.nowMs();
  return (sentMs + now()) / 2 - theirMs;
}

function describeClock(skewMs: number | null): string {
  if (skewMs === null) return 'unknown';
  return Math.abs(skewMs) > MAX_SKEW_MS ? `skewed: ${Math.round(skewMs / 1_000)}` : 'ok';
}
