// Sandbox: deterministic only.
import {
  ActivityFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  uuid4,
} from '@temporalio/workflow';
import { PATROL_SECTIONS, type PatrolFinding, type PatrolSection } from '../domain/patrol/findings';
import { TASK_QUEUES } from '../domain/temporal/task-queues';
import type { PatrolActivities, PatrolReportActivities } from './patrol-contract';

/** Well under the 10 s of a workflow task, with two more tries in it. */
const report = proxyLocalActivities<PatrolReportActivities>({
  startToCloseTimeout: '8s',
  scheduleToCloseTimeout: '9s',
  retry: { maximumAttempts: 3, initialInterval: '100ms', backoffCoefficient: 2 },
});

/** A section stops by itself before its time is over; one that fails thrice is left to the next patrol. */
const sections = proxyActivities<PatrolActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '90s',
  // A worker that died in the middle must not hold the next patrols back for as long.
  heartbeatTimeout: '15s',
  scheduleToCloseTimeout: '4m',
  retry: { maximumAttempts: 3, initialInterval: '1s', backoffCoefficient: 2 },
});

/**
 * One patrol: looks for what nobody took up, what is overdue, what can't be and what is past its time.
 * Its report is there from the start, so that a patrol that was killed shows.
 */
export async function patrolWorkflow(): Promise<'done' | 'failed'> {
  const start = await report.beginPatrol(uuid4());
  const findings: PatrolFinding[] = [];
  const failedSections: PatrolSection[] = [];
  let { position } = start;
  const look: Record<PatrolSection, () => Promise<readonly PatrolFinding[]>> = {
    inbox: sections.patrolInbox,
    overdue: sections.patrolOverdue,
    async invariants() {
      const result = await sections.patrolInvariants(start);
      position = result.position;
      return result.findings;
    },
    purge: sections.patrolPurge,
  };
  for (const section of PATROL_SECTIONS) {
    try {
      findings.push(...(await look[section]()));
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      failedSections.push(section);
    }
  }
  await report.finishPatrol(start.id, { findings, failedSections, position });
  return failedSections.length === 0 ? 'done' : 'failed';
}
