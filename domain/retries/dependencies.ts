/**
 * What orders can't go on without, and what is said when it is away. Questions are pointless while one
 * of them is: the matter is not the order's.
 */
export const DEPENDENCIES = {
  wechatpay: { down: 'WeChat Pay is down', up: 'WeChat Pay is back' },
  temporal: { down: 'Temporal is down', up: 'Temporal is back' },
  /** Of one process: its outage can't be noted in it. */
  database: { down: 'the database is down', up: 'the database is back' },
  /** Seen from the inbox: runs were told of too many notices in vain. */
  workers_notices: {
    down: 'no worker takes what WeChat told: too many notices wait for their verdict',
    up: 'workers take what WeChat told again',
  },
  /** Seen from the patrol: too many runs at once don't move what is due. */
  workers_overdue: {
    down: 'too many runs are stuck at once: no questions are opened about them',
    up: 'runs move what is due again',
  },
} as const satisfies Record<string, Record<DependencyState, string>>;

export type DependencyName = keyof typeof DEPENDENCIES;
export type DependencyState = 'up' | 'down';
