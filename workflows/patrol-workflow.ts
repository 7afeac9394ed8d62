// The patrol's run: goes through the sections and writes the report.
// Sandbox: deterministic only.
import {
  ActivityFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  uuid4,
} from '@temporalio/workflow';
import {
  PATROL_SECTIONS,
  type PatrolFinding,
  type PatrolReport,
  type PatrolSection,
  type PatrolStart,
} from '../domain/patrol/findings';
import { PATROL_TIMES_MS } from '../domain/temporal/patrol-schedule';
import { TASK_QUEUES } from '../domain/temporal/task-queues';
import type { PatrolActivities, PatrolReportActivities } from './patrol-contract';

/** Well below the 10 s of a workflow task, with room for two more attempts. */
const localReport = proxyLocalActivities<PatrolReportActivities>({
  startToCloseTimeout: '8s',
  scheduleToCloseTimeout: '9s',
  retry: { maximumAttempts: 3, initialInterval: '100ms', backoffCoefficient: 2 },
});

/** The same steps as regular activities: they wait for a database that is away for a moment. */
const regularReport = proxyActivities<PatrolReportActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '15s',
  scheduleToCloseTimeout: PATROL_TIMES_MS.reportStep,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '15s' },
});

/**
 * A section stops by itself before its timeout. After three failures the next patrol takes it over.
 */
const sections = proxyActivities<PatrolActivities>({
  taskQueue: TASK_QUEUES.orders,
  startToCloseTimeout: '90s',
  // When a worker dies in the middle, the next attempt must not wait for the whole timeout.
  heartbeatTimeout: '15s',
  scheduleToCloseTimeout: PATROL_TIMES_MS.section,
  retry: { maximumAttempts: 3, initialInterval: '1s', backoffCoefficient: 2 },
});

/**
 * One patrol. It looks for notices without a verdict, for overdue rows, for broken invariants, and
 * for rows that are kept no longer. It writes its report's row first, so that a killed patrol is
 * visible. While the database is away the report waits a few minutes for it; the patrol never fails
 * as a workflow because of that, because the next one takes over what it did not do.
 * @returns `failed` when a section failed, or when the report could not be written
 */
export async function patrolWorkflow(): Promise<'done' | 'failed'> {
  const id = uuid4();
  const start = await unlessAway(() =>
    localFirst(
      () => localReport.beginPatrol(id),
      () => regularReport.beginPatrol(id),
    ),
  );
  if (start === AWAY) return endedEarly('It could not begin its report');
  const report = await goThroughSections(start);
  const written = await unlessAway(() =>
    localFirst(
      () => localReport.finishPatrol(id, report),
      () => regularReport.finishPatrol(id, report),
    ),
  );
  if (written === AWAY) return endedEarly('It could not write its report');
  return report.failedSections.length === 0 ? 'done' : 'failed';
}

async function goThroughSections(start: PatrolStart): Promise<PatrolReport> {
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
    const found = await unlessAway(() => runSection[section]());
    if (found === AWAY) failedSections.push(section);
    else findings.push(...found);
  }
  return { findings, failedSections, position };
}

const AWAY = 'away';

/** @returns `away` when the activity failed for good: the database did not respond in its time */
async function unlessAway<T>(activity: () => Promise<T>): Promise<T | typeof AWAY> {
  try {
    return await activity();
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error;
    return AWAY;
  }
}

/**
 * Every error of the local activity counts as a failure but a cancellation, because its wrapping
 * differs. A run of an earlier release ended there, so none can be open at this point: no patch.
 */
async function localFirst<T>(local: () => Promise<T>, regular: () => Promise<T>): Promise<T> {
  try {
    return await local();
  } catch (error) {
    if (isCancellation(error)) throw error;
    return regular();
  }
}

function endedEarly(why: string): 'failed' {
  setCurrentDetails(`**failed**: ${why}, because the database was away. The next patrol goes on.`);
  return 'failed';
}
