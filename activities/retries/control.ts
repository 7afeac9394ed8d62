import { createCached } from '../../database/core/cache-value';
import type { Database } from '../../database/database';
import {
  DEFAULT_POLICIES,
  type RetryOperation,
  type RetryPolicy,
} from '../../domain/retries/retry-policy';

/** What decisions about retries go by: the policies, and what is known to be down. */
export interface RetryControl {
  policy(operation: RetryOperation): Promise<RetryPolicy>;
  /** Of all processes, as the row says. */
  wechatIsDown(): Promise<boolean>;
  /** After this process has changed the row. */
  forget(): void;
}

/** A changed policy counts within this; an order that is being retried costs no look-up of its own. */
const MAX_AGE_MS = 2_000;

/** Reads policies and outages every few seconds; while it can't, the last known, else the seeds. */
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
