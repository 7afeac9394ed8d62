import type { DatabaseContext } from '../core/context';
import { createInvariants } from './invariants';
import { createOverdueRows } from './overdue-rows';
import { createPatrolRuns } from './patrol-runs';
import { createPurge } from './purge';
import { createStaleNotices } from './stale-notices';

/** What the patrol reads and writes. */
export function createPatrol(context: DatabaseContext) {
  return {
    ...createPatrolRuns(context),
    notices: createStaleNotices(context),
    overdue: createOverdueRows(context),
    invariants: createInvariants(context),
    purge: createPurge(context),
  };
}
