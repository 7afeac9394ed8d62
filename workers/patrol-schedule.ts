// Keeps the patrol's schedule in Temporal as the settings want it.
import { ScheduleClient, type ConnectionLike } from '@temporalio/client';
import { createPatrolSchedule, type PatrolSchedule } from '../api/temporal/patrol-schedule';
import type { Logger } from '../config/logger';

/** A Temporal server that lost its data has its patrol again within this. */
const CHECK_MS = 60_000;

export interface PatrolScheduleDeps {
  readonly connection: ConnectionLike;
  readonly namespace: string;
  /** The interval in force; rejects while the database is away. */
  readonly intervalMs: () => Promise<number>;
  readonly logger: Logger;
}

/**
 * Checks the patrol's schedule at once and every minute: creates a missing one, and changes a wrong
 * interval. Any number of workers may do this at the same time. A paused one stays paused for now:
 * api/patrol/watch-patrol raises an alert about it and lets it go on.
 * @returns a function that ends the checks
 */
export function keepPatrolSchedule(deps: PatrolScheduleDeps): () => void {
  const { connection, namespace, logger } = deps;
  const schedule = createPatrolSchedule(new ScheduleClient({ connection, namespace }));
  const check = () => {
    ensurePatrolSchedule(schedule, deps).catch((error: unknown) =>
      logger.warn({ err: error }, 'patrol_schedule.unknown'),
    );
  };
  check();
  const timer = setInterval(check, CHECK_MS);
  return () => clearInterval(timer);
}

async function ensurePatrolSchedule(
  schedule: PatrolSchedule,
  { intervalMs, logger }: PatrolScheduleDeps,
): Promise<void> {
  // While the database is away the interval is unknown, and the schedule stays as it is.
  const wanted = await intervalMs();
  const state = await schedule.read();
  if (state.kind === 'missing') {
    await schedule.create(wanted);
    logger.warn({ intervalMs: wanted }, 'patrol_schedule.created');
  } else if (state.kind === 'active' && state.intervalMs !== wanted) {
    await schedule.change(wanted);
    logger.warn({ intervalMs: wanted }, 'patrol_schedule.changed');
  }
}
