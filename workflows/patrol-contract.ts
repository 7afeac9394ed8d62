// Sandbox: types only. What the patrol asks of activities (S3).
import type {
  PatrolFinding,
  PatrolPosition,
  PatrolReport,
  PatrolStart,
} from '../domain/patrol/findings';

/** The report's row: short database steps. */
export interface PatrolReportActivities {
  /** @param id made by the workflow, so that a repeat writes the same row */
  beginPatrol(id: string): Promise<PatrolStart>;
  finishPatrol(id: string, report: PatrolReport): Promise<void>;
}

/** One activity a section, each bounded in time and rows. */
export interface PatrolActivities {
  patrolInbox(): Promise<readonly PatrolFinding[]>;
  patrolOverdue(): Promise<readonly PatrolFinding[]>;
  patrolInvariants(start: PatrolStart): Promise<{
    readonly findings: readonly PatrolFinding[];
    readonly position: PatrolPosition;
  }>;
  patrolPurge(): Promise<readonly PatrolFinding[]>;
}
