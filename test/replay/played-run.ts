// The run that a scenario has played.
import type { TestOncepay } from '../support/oncepay';

/** The run that a scenario has played: it has ended, or it waits for a person. */
export interface PlayedRun {
  /** An order's run has its number as its id. */
  readonly workflowId: string;
  readonly runId: string;
}

export async function latestRun({ temporal }: TestOncepay, workflowId: string): Promise<PlayedRun> {
  const { runId } = await temporal.workflow.getHandle(workflowId).describe();
  return { workflowId, runId };
}

export async function ended(oncepay: TestOncepay, run: PlayedRun): Promise<PlayedRun> {
  await oncepay.temporal.workflow.getHandle(run.workflowId, run.runId).result();
  return run;
}
