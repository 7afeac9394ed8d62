// Knows the backlog of notices in an api process without the role ops, where no sweep runs.
import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';
import { createBacklog } from './backlog';
import type { Breaker } from './breaker';
import type { Sweep } from './sweep';

/** Between two looks at the backlog: soon enough, and little work for the database. */
const LOOK_MS = 1_000;

/** The part of the sweep that the dispatcher needs. */
export interface BacklogFollower extends Pick<Sweep, 'hasBacklog' | 'takeOver'> {
  stop(): void;
}

/**
 * Makes the follower. The dispatcher leaves notices to the sweep of another process while Temporal
 * is away or too slow. The follower looks until that sweep has caught up, so that the oldest rows
 * come first. It probes Temporal itself, because no sweep of this process does.
 */
export function createBacklogFollower(deps: {
  overdue: Pick<Database['overdue'], 'hasDueNotices'>;
  breaker: Pick<Breaker, 'call' | 'state'>;
  /** A small request to Temporal. */
  ping: () => Promise<unknown>;
  logger: Logger;
  now: () => number;
}): BacklogFollower {
  const { overdue, breaker, logger, now } = deps;
  const backlog = createBacklog(deps);
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;

  async function look(): Promise<void> {
    try {
      // The breaker itself notes and logs how the ping ended.
      if (breaker.state() === 'half_open') await breaker.call(deps.ping).catch(() => 'noted');
      if (breaker.state() === 'closed' && !(await overdue.hasDueNotices(now()))) {
        backlog.end();
        return;
      }
    } catch (error) {
      logger.warn({ err: error }, 'backlog.unknown');
    }
    plan();
  }

  function plan(): void {
    if (!stopped) timer = setTimeout(() => void look(), LOOK_MS);
  }

  return {
    hasBacklog: () => backlog.waits(),
    takeOver(why) {
      if (backlog.waits() || stopped) return;
      backlog.begin(why);
      plan();
    },
    stop() {
      stopped = true;
      if (timer) clearTimeout(timer);
    },
  };
}
