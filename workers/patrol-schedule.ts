// Keeps the patrol's schedule in Temporal as the settings want it.
import {
  ScheduleAlreadyRunning,
  ScheduleClient,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ConnectionLike,
} from '@temporalio/client';
import type { Logger } from '../config/logger';
import { TASK_QUEUES } from '../domain/temporal/task-queues';
import { PATROL_WORKFLOW_TYPE } from '../domain/temporal/workflow-ids';

export const PATROL_SCHEDULE_ID = 'oncepay-patrol';
/** A Temporal server that lost its data has its patrol again within this. */
const CHECK_MS = 60_000;
/** Older missed patrols are not made up for: the next patrol sees the same rows. */
const CATCH_UP_MS = 60_000;
/** Far above the time of all sections together; database/patrol/record-patrol-runs relies on it. */
const RUN_TIMEOUT_MS = 15 * 60_000;
const CALL_TIMEOUT_MS = 5_000;

export interface PatrolScheduleDeps {
  readonly connection: ConnectionLike;
  readonly namespace: string;
  /** The interval in force; rejects while the database is away. */
  readonly intervalMs: () => Promise<number>;
  readonly logger: Logger;
}

/**
 * Checks the patrol's schedule at once and every minute: creates a missing one, and changes a wrong
 * interval. Any number of workers may do this at the same time.
 * @returns a function that ends the checks
 */
export function keepPatrolSchedule(deps: PatrolScheduleDeps): () => void {
  const { connection, namespace, logger } = deps;
  const client = new ScheduleClient({ connection, namespace });
  const check = () => {
    ensurePatrolSchedule(client, deps).catch((error: unknown) =>
      logger.warn({ err: error }, 'patrol_schedule.unknown'),
    );
  };
  check();
  const timer = setInterval(check, CHECK_MS);
  return () => clearInterval(timer);
}

async function ensurePatrolSchedule(
  client: ScheduleClient,
  { connection, intervalMs, logger }: PatrolScheduleDeps,
): Promise<void> {
  // While the database is away the interval is unknown, and the schedule stays as it is.
  const wanted = await intervalMs();
  await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
    try {
      const handle = client.getHandle(PATROL_SCHEDULE_ID);
      const { spec } = await handle.describe();
      if (spec.intervals?.[0]?.every === wanted) return;
      await handle.update((previous) => ({ ...previous, spec: specOf(wanted) }));
      logger.warn({ intervalMs: wanted }, 'patrol_schedule.changed');
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await create(client, wanted);
      logger.warn({ intervalMs: wanted }, 'patrol_schedule.created');
    }
  });
}

const specOf = (everyMs: number) => ({ intervals: [{ every: everyMs }] });

async function create(client: ScheduleClient, everyMs: number): Promise<void> {
  try {
    await client.create({
      scheduleId: PATROL_SCHEDULE_ID,
      spec: specOf(everyMs),
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS },
      action: {
        type: 'startWorkflow',
        workflowType: PATROL_WORKFLOW_TYPE,
        workflowId: PATROL_SCHEDULE_ID,
        taskQueue: TASK_QUEUES.orders,
        args: [],
        workflowRunTimeout: RUN_TIMEOUT_MS,
      },
    });
  } catch (error) {
    // Another worker was faster.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
