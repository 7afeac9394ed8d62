import {
  ScheduleAlreadyRunning,
  ScheduleClient,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ConnectionLike,
} from '@temporalio/client';
import type { Logger } from '../config/logger';
import { PATROL_INTERVAL_LIMITS } from '../config/settings';
import type { Database } from '../database/database';
import { TASK_QUEUES } from '../domain/task-queues';
import { PATROL_WORKFLOW_TYPE } from '../domain/workflow-ids';

export const PATROL_SCHEDULE_ID = 'oncepay-patrol';
/** A server that lost its data has its patrol again within this. */
const CHECK_MS = 60_000;
/** What was missed longer ago than this is not made up for: the next patrol sees the same rows. */
const CATCH_UP_MS = 60_000;
/** Far above what its sections take together; database/patrol/patrol-runs counts on it. */
const RUN_TIMEOUT_MS = 15 * 60_000;
const CALL_TIMEOUT_MS = 5_000;

export interface PatrolScheduleDeps {
  readonly connection: ConnectionLike;
  readonly namespace: string;
  readonly patrol: Pick<Database['patrol'], 'intervalMs'>;
  /** Where the operators have set none, in ms. */
  readonly intervalMs: number;
  readonly logger: Logger;
}

/**
 * Keeps the patrol's schedule as it should be: looks at once and every minute, makes it where it is
 * missing, and changes its interval where another one is wanted. Any number of workers do this at once.
 * @returns ends the looking
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
  { connection, patrol, intervalMs, logger }: PatrolScheduleDeps,
): Promise<void> {
  // A database that is away says nothing about the interval: what is there stays.
  const asked = await patrol.intervalMs().catch(() => undefined);
  const wanted = asked === undefined ? undefined : usable(asked, logger) ? asked : intervalMs;
  await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
    try {
      const handle = client.getHandle(PATROL_SCHEDULE_ID);
      const { spec } = await handle.describe();
      if (wanted === undefined || spec.intervals?.[0]?.every === wanted) return;
      await handle.update((previous) => ({ ...previous, spec: specOf(wanted) }));
      logger.warn({ intervalMs: wanted }, 'patrol_schedule.changed');
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await create(client, wanted ?? intervalMs);
      logger.warn({ intervalMs: wanted ?? intervalMs }, 'patrol_schedule.created');
    }
  });
}

/** False when none is set, or none that can be used: the environment's then counts. */
function usable(ms: number | null, logger: Logger): ms is number {
  if (ms === null) return false;
  const { minMs, maxMs } = PATROL_INTERVAL_LIMITS;
  if (ms >= minMs && ms <= maxMs) return true;
  logger.warn({ intervalMs: ms }, 'patrol_schedule.bad_interval');
  return false;
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
