// Remembers whether inbox rows wait in the database because of an outage or a burst.
import type { Logger } from '../../config/logger';

/** The inbox rows that the sweep has to work through before new ones. */
export interface Backlog {
  /** True while inbox rows wait in the database. */
  readonly waits: () => boolean;
  begin(why: 'overflow' | 'temporal_away' | 'many_rows'): void;
  /** Counts the rows whose runs were woken. */
  addWoken(rows: number): void;
  end(): void;
}

/** Makes the backlog. It logs once that the backlog begins, and once that it ends. */
export function createBacklog({ logger, now }: { logger: Logger; now: () => number }): Backlog {
  let current: { readonly sinceMs: number; woken: number } | null = null;
  return {
    waits: () => current !== null,
    begin(why) {
      if (current) return;
      current = { sinceMs: now(), woken: 0 };
      logger.warn({ why }, 'sweep.backlog');
    },
    addWoken(rows) {
      if (current) current.woken += rows;
    },
    end() {
      if (!current) return;
      logger.info({ told: current.woken, afterMs: now() - current.sinceMs }, 'sweep.backlog_gone');
      current = null;
    },
  };
}
