// The patrol's schedule in Temporal: its id, its times and the run that it starts.
// Sandbox: deterministic only.
import { TASK_QUEUES } from './task-queues';
import { PATROL_WORKFLOW_TYPE } from './workflow-ids';

export const PATROL_SCHEDULE_ID = 'oncepay-patrol';

/** The longest times of a patrol. All steps together end before Temporal ends the run. */
export const PATROL_TIMES_MS = {
  /** The first and the last step write the report; each waits this long for the database. */
  reportStep: 60_000,
  /** One section with its repeats. */
  section: 3 * 60_000,
  /** The whole run; database/patrol/record-patrol-runs counts a later one as dead. */
  run: 15 * 60_000,
} as const;

/** Without a complete patrol for this many intervals, the patrol counts as stopped. */
export const MISSED_PATROLS = 3;

/** The run that the schedule starts. */
export const PATROL_ACTION = {
  type: 'startWorkflow',
  workflowType: PATROL_WORKFLOW_TYPE,
  workflowId: PATROL_SCHEDULE_ID,
  taskQueue: TASK_QUEUES.orders,
  workflowRunTimeout: PATROL_TIMES_MS.run,
} as const;
