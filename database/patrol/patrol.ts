// Assembles the patrol's reads and writes.
import type { DatabaseContext } from '../core/context';
import { createInvariants } from './check-invariants';
import { createOverdueRows } from './find-overdue-rows';
import { createPatrolRuns } from './record-patrol-runs';
import { createMissingReconciliations } from './find-missing-reconciliations';
import { createPurge } from './purge-rows';
import { createStaleNotices } from './find-stale-notices';

/** The reads and writes of the patrol. */
export function createPatrol(context: DatabaseContext) {
  return {
    ...createPatrolRuns(context),
    notices: createStaleNotices(context),
    overdue: createOverdueRows(context),
    invariants: createInvariants(context),
    reconciliations: createMissingReconciliations(context),
    purge: createPurge(context),
  };
}
