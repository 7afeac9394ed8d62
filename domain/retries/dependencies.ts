// The systems that orders depend on, and the alerts about their outages.
// Sandbox: deterministic only.

/**
 * The dependencies without which orders can't go on, with the text of the alerts. While one is
 * down, no interventions about single orders are opened: the trouble is not theirs.
 */
export const DEPENDENCIES = {
  wechatpay: {
    down: 'WeChat Pay is down: calls fail or get no definite response',
    up: 'WeChat Pay is back',
  },
  temporal: { down: 'Temporal is down', up: 'Temporal is back' },
  /** Seen by one process alone: an outage of the database can't be stored in it. */
  database: {
    down: 'the database is down for this process',
    up: 'the database is back for this process',
  },
  /** Seen from the inbox: too many notices have no verdict, although their runs were woken. */
  workers_notices: {
    down: 'too many notices of WeChat wait for their verdict: check that workers are running',
    up: 'workers apply the notices of WeChat again',
  },
  /** Seen from the patrol: too many runs at once don't go on although they are due. */
  workers_overdue: {
    down: 'too many runs are stuck at once for interventions: check that workers are running',
    up: 'runs go on again when they are due',
  },
} as const satisfies Record<string, Record<DependencyState, string>>;

export type DependencyName = keyof typeof DEPENDENCIES;
export type DependencyState = 'up' | 'down';
