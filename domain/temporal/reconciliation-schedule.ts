// The schedule of reconciliation in Temporal: its id, its time zone and the run that it starts.
// Sandbox: deterministic only.
import { TASK_QUEUES } from './task-queues';
import { RECONCILIATION_STARTER_TYPE } from './workflow-ids';

export const RECONCILIATION_SCHEDULE_ID = 'oncepay-reconciliation';

/** WeChat's days are those of Beijing. */
export const RECONCILIATION_TIME_ZONE = 'Asia/Shanghai';

/**
 * The run that the schedule starts. It starts one run for each day: a schedule itself can't,
 * because Temporal appends the time to the id of a run that a schedule starts.
 */
export const RECONCILIATION_ACTION = {
  type: 'startWorkflow',
  workflowType: RECONCILIATION_STARTER_TYPE,
  workflowId: RECONCILIATION_SCHEDULE_ID,
  taskQueue: TASK_QUEUES.orders,
} as const;
