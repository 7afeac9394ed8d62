// Rolls up the statistics every few seconds; one process at a time does it for all.
import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';

const INTERVAL_MS = 10_000;

/** The statistics that this process keeps up to date. */
export interface StatisticsKeeper {
  start(): void;
  stop(): Promise<void>;
}

/** Makes the keeper. After an absence it counts what is missing, in short transactions. */
export function createStatisticsKeeper(deps: {
  readonly statistics: Pick<Database['statistics'], 'rollUp'>;
  readonly logger: Logger;
  readonly now: () => number;
}): StatisticsKeeper {
  const { statistics, logger, now } = deps;
  let timer: NodeJS.Timeout | null = null;
  let current: Promise<void> | null = null;
  let stopped = false;

  async function catchUp(): Promise<void> {
    try {
      while (!stopped && (await statistics.rollUp(now())));
    } catch (error) {
      logger.warn({ err: error }, 'statistics.not_rolled_up');
    }
  }

  return {
    start(): void {
      timer = setInterval(() => {
        current ??= catchUp().finally(() => {
          current = null;
        });
      }, INTERVAL_MS);
    },
    async stop(): Promise<void> {
      stopped = true;
      if (timer) clearInterval(timer);
      await current;
    },
  };
}
