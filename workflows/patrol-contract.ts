// The activities that the patrol's workflow needs; types only (S3).
// Sandbox: deterministic only.
import type {
  PatrolFinding,
  PatrolPosition,
  PatrolReport,
  PatrolStart,
} from '../domain/patrol/findings';

/** Short database steps on the row of the patrol's report. */
export interface PatrolReportActivities {
  /** @param id made by the workflow, so that a repeat writes the same row */
  beginPatrol(id: string): Promise<PatrolStart>;
  finishPatrol(id: string, report: PatrolReport): Promise<void>;
}

/** One activity per section; each is bounded in time and rows. */
export interface PatrolActivities {
  patrolInbox(): Promise<readonly PatrolFinding[]>;
  patrolOverdue(): Promise<readonly PatrolFinding[]>;
  patrolInvariants(start: PatrolStart): Promise<{
    readonly findings: readonly PatrolFinding[];
    readonly position: PatrolPosition;
  }>;
  patrolPurge(): Promise<readonly PatrolFinding[]>;
}
