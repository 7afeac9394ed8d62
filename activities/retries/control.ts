// Reads the inputs of retry decisions: the policies, and whether WeChat is known to be down.
import { createCached } from '../../database/core/cache-value';
import type { Database } from '../../database/database';
import {
  DEFAULT_POLICIES,
  type RetryOperation,
  type RetryPolicy,
} from '../../domain/retries/retry-policy';

/** The inputs of retry decisions. */
export interface RetryControl {
  /** The policy of an operation, as an operator may have changed it. */
  policy(operation: RetryOperation): Promise<RetryPolicy>;
  /** True while the row that all processes share says that WeChat is down. */
  wechatIsDown(): Promise<boolean>;
  /** Drops the cache. For a process that has just changed the row. */
  forget(): void;
}

/** A changed policy counts within this. The cache spares retried orders a query each. */
const MAX_AGE_MS = 2_000;

/**
 * Reads policies and outages at most every few seconds. While the database is away, the last known
 * ones count, or else the defaults.
 */
export function createRetryControl({
  database,
  now,
}: {
  readonly database: Pick<Database, 'policies' | 'dependencies'>;
  readonly now: () => number;
}): RetryControl {
  const cached = createCached(
    async () => {
      const [policies, dependencies] = await Promise.all([
        database.policies.list(),
        database.dependencies.list(),
      ]);
      return {
        policies: new Map(policies.map((policy) => [policy.operation, policy])),
        wechatIsDown: dependencies.some(
          ({ name, state }) => name === 'wechatpay' && state === 'down',
        ),
      };
    },
    { maxAgeMs: MAX_AGE_MS, now },
  );
  const known = () => cached.current().catch(() => null);
  return {
    policy: async (operation) =>
      (await known())?.policies.get(operation) ?? DEFAULT_POLICIES[operation],
    wechatIsDown: async () => (await known())?.wechatIsDown ?? false,
    forget: () => cached.forget(),
  };
}
