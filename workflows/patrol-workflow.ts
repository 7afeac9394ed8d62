// The patrol's run: goes through the sections and writes the report.
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

/** Well below the 10 s of a workflow task, with room for two more attempts. */
const report = proxyLocalActivities<PatrolReportActivities>({
  startToCloseTimeout: '8s',
  scheduleToCloseTimeout: '9s',
  retry: { maximumAttempts: 3, initialInterval: '100ms', backoffCoefficient: 2 },
});

/**
 * A section stops by itself before its timeout. After three failures the next patrol takes it over.
 */
const sections = proxyActivities<PatrolActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '90s',
  // When a worker dies in the middle, the next attempt must not wait for the whole timeout.
  heartbeatTimeout: '15s',
  scheduleToCloseTimeout: '4m',
  retry: { maximumAttempts: 3, initialInterval: '1s', backoffCoefficient: 2 },
});

/**
 * One patrol. It looks for notices without a verdict, for overdue rows, for broken invariants, and
 * for rows that are kept no longer. It writes its report's row first, so that a killed patrol is
 * visible.
 */
export async function patrolWorkflow(): Promise<'done' | 'failed'> {
  const start = await report.beginPatrol(uuid4());
  const findings: PatrolFinding[] = [];
  const failedSections: PatrolSection[] = [];
  let { position } = start;
  const runSection: Record<PatrolSection, () => Promise<readonly PatrolFinding[]>> = {
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
      findings.push(...(await runSection[section]()));
    } catch (error) {
      if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
      failedSections.push(section);
    }
  }
  await report.finishPatrol(start.id, { findings, failedSections, position });
  return failedSections.length === 0 ? 'done' : 'failed';
}
