// Reads from a history which workflow tasks a worker could not carry out.
import { temporal as proto } from '@temporalio/proto';

/** A message came while the run was ending: the server has the run go on, as it should. */
const CAME_LATE =
  proto.api.enums.v1.WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND;

/** The failures of a run's workflow tasks, without those of a message that came late. */
export function failedTasks(
  history: proto.api.history.v1.IHistory,
): proto.api.history.v1.IWorkflowTaskFailedEventAttributes[] {
  const events = history.events ?? [];
  return events
    .flatMap((event) => event.workflowTaskFailedEventAttributes ?? [])
    .filter(({ cause }) => cause !== CAME_LATE);
}
