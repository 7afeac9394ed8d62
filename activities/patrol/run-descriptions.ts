// Describes a run by what Temporal knows about it.
import { getClient } from '@temporalio/activity';
import { isGrpcServiceError, WorkflowNotFoundError } from '@temporalio/client';

/** The state of a run in Temporal, for a person who has to find out why it doesn't go on. */
export interface RunDescription {
  /**
   * Temporal's status, like `RUNNING`; `NOT_FOUND`; or `UNKNOWN` when Temporal gave no response.
   */
  readonly status: string;
  readonly run_id?: string;
  readonly pending_activities?: readonly {
    readonly type: string;
    readonly attempt: number;
    readonly last_failure: string | null;
  }[];
  /** Attempts of the current workflow task. Many mean that the workflow's code fails. */
  readonly workflow_task_attempt?: number;
}

const DESCRIBE_TIMEOUT_MS = 3_000;
/** Characters; enough to find the failure in the log or in Web UI. */
const MAX_FAILURE_LENGTH = 200;
const MAX_ACTIVITIES = 10;

/** Describes the latest run of a workflow id. When Temporal is away, the status is `UNKNOWN`. */
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
