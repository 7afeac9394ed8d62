import type { Logger } from '../../config/logger';

/** Whether inbox rows wait in the database because of an outage or a burst. */
export interface Backlog {
  readonly waits: () => boolean;
  begin(why: 'overflow' | 'temporal_away' | 'many_rows'): void;
  /** Counts what was told of it. */
  told(rows: number): void;
  end(): void;
}

/** Says once that it began, and once that it is gone. */
export function createBacklog({ logger, now }: { logger: Logger; now: () => number }): Backlog {
  let current: { readonly sinceMs: number; told: number } | null = null;
  return {
    waits: () => current !== null,
    begin(why) {
      if (current) return;
      current = { sinceMs: now(), told: 0 };
      logger.warn({ why }, 'sweep.backlog');
    },
    told(rows) {
      if (current) current.told += rows;
    },
    end() {
      if (!current) return;
      logger.info({ told: current.told, afterMs: now() - current.sinceMs }, 'sweep.backlog_gone');
      current = null;
    },
  };
}
