import { Gauge, type Registry } from 'prom-client';
import { inTime } from '../http/deadline';

/** A scrape waits this long for the database; a hanging one must not take the other numbers with it. */
const SCRAPE_DEADLINE_MS = 1_000;

/**
 * How old the last patrol is that got through all of its sections; counted from this process's start
 * while there was none. It is read at each scrape and is not a number (NaN) when the database can't say.
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
    help: 'Seconds since the last whole patrol ended',
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
