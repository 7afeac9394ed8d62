// The metric of the patrol: how long ago the last complete run ended.
import { Gauge, type Registry } from 'prom-client';
import { inTime } from '../http/deadline';

/** A scrape waits this long for the database, so that its other metrics arrive in any case. */
const SCRAPE_DEADLINE_MS = 1_000;

/**
 * Registers the age of the last patrol that completed all its sections. While there is none, the
 * age counts from the start of this process. It is read at each scrape, and is NaN when the
 * database does not respond.
 */
export function createPatrolMetrics(options: {
  readonly registry: Registry;
  readonly lastFinishedAt: () => Promise<Date | null>;
  readonly now: () => number;
}): void {
  const { registry, lastFinishedAt, now } = options;
  const startedMs = now();
  new Gauge({
    name: 'oncepay_patrol_age_seconds',
    help: 'Seconds since the last complete patrol ended',
    registers: [registry],
    async collect() {
      try {
        const last = await inTime(lastFinishedAt(), SCRAPE_DEADLINE_MS);
        this.set((now() - (last?.getTime() ?? startedMs)) / 1_000);
      } catch {
        this.set(Number.NaN);
      }
    },
  });
}
