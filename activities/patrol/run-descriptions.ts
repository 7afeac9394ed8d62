import { getClient } from '@temporalio/activity';
import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';

/** What Temporal says of a run, for a person who has to find out why it doesn't go on. */
export interface RunDescription {
  /** Temporal's word, like `RUNNING`; `NOT_FOUND`, or `UNKNOWN` when Temporal could not say. */
  readonly status: string;
  readonly run_id?: string;
  readonly pending_activities?: readonly {
    readonly type: string;
    readonly attempt: number;
    readonly last_failure: string | null;
  }[];
  /** Attempts of the workflow task under way: many mean that the workflow's code fails. */
  readonly workflow_task_attempt?: number;
}

const DESCRIBE_TIMEOUT_MS = 3_000;
/** Enough to find its place in the log or in Web UI. */
const MAX_FAILURE_LENGTH = 200;
const MAX_ACTIVITIES = 10;

/** Asks Temporal about the latest run under this workflow id. Never fails: not to know is an answer. */
export async function describeRun(workflowId: string): Promise<RunDescription> {
  const client = getClient();
  try {
    const { status, runId, raw } = await client.connection.withDeadline(
      Date.now() + DESCRIBE_TIMEOUT_MS,
      () => client.workflow.getHandle(workflowId).describe(),
    );
    return {
      status: status.name,
      run_id: runId,
      pending_activities: (raw.pendingActivities ?? [])
        .slice(0, MAX_ACTIVITIES)
        .map((activity) => ({
          type: activity.activityType?.name ?? 'unknown',
          attempt: activity.attempt ?? 1,
          last_failure: activity.lastFailure?.message?.slice(0, MAX_FAILURE_LENGTH) ?? null,
        })),
      ...(raw.pendingWorkflowTask
        ? { workflow_task_attempt: raw.pendingWorkflowTask.attempt ?? 1 }
        : {}),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { status: 'NOT_FOUND' };
    if (isGrpcServiceError(error)) return { status: 'UNKNOWN' };
    throw error;
  }
}
