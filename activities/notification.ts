import { Context } from '@temporalio/activity';
import type { Database } from '../database/database';
import type { DueDelivery } from '../database/deliveries';
import { DEFAULT_POLICIES, retryDelayMs } from '../domain/retry-policy';
import type { OutboundActivities } from '../workflows/activity-contract';
import { retryIn } from './failures';

/** Where a delivery goes: the shop's webhook, the user's messages. */
export interface DeliveryPort {
  /** @returns null when it was taken, else what went wrong, in a few words */
  send(delivery: DueDelivery): Promise<string | null>;
}

export interface OutboundActivityDeps {
  readonly database: Pick<Database, 'deliveries'>;
  readonly ports: Readonly<Record<DueDelivery['kind'], DeliveryPort>>;
  readonly now: () => number;
}

/** An attempt that comes this little early is made at once. */
const EARLY_MS = 200;
/** Sent in one attempt: their time-outs together stay below the activity's. */
const MAX_PER_ATTEMPT = 3;
/** While something waits for its next attempt, new things to tell are looked for this often. */
const LOOK_AGAIN_MS = 60_000;

/** Tells shop and user what happened; at least once, none waiting for another that fails. */
export function createOutboundActivities({ database, ports, now }: OutboundActivityDeps) {
  /** In the order in which it happened; one that fails does not hold the next one back. */
  async function send(kind: DueDelivery['kind'], due: readonly DueDelivery[]) {
    const results: { delivery: DueDelivery; error: string | null }[] = [];
    for (const delivery of due.filter((one) => one.kind === kind)) {
      results.push({ delivery, error: await ports[kind].send(delivery) });
    }
    return results;
  }

  return {
    async deliver(outTradeNo) {
      const pending = await database.deliveries.pending(outTradeNo);
      const due = pending
        .filter(({ nextAttemptAt }) => nextAttemptAt.getTime() <= now() + EARLY_MS)
        .slice(0, MAX_PER_ATTEMPT);
      const results = (await Promise.all([send('webhook', due), send('message', due)])).flat();
      const taken = results.filter(({ error }) => error === null);
      await database.deliveries.done(
        taken.map(({ delivery }) => delivery),
        now(),
      );
      const times = pending
        .filter((delivery) => !due.includes(delivery))
        .map(({ nextAttemptAt }) => nextAttemptAt.getTime());
      for (const { delivery, error } of results) {
        if (error === null) continue;
        const policy = DEFAULT_POLICIES[`notification.${delivery.kind}`];
        const delayMs = retryDelayMs(policy, delivery.attempts, Math.random());
        const retryAtMs = delayMs === null ? null : now() + delayMs;
        await database.deliveries.failed(outTradeNo, delivery, { error, retryAtMs, nowMs: now() });
        if (retryAtMs !== null) times.push(retryAtMs);
      }
      const nextAtMs = times.length > 0 ? Math.min(...times) : null;
      const view = await database.deliveries.finishRound(outTradeNo, nextAtMs);
      if (nextAtMs === null) return view;
      Context.current().log.info('delivery.again', { outTradeNo, nextAtMs });
      throw retryIn(Math.min(nextAtMs - now(), LOOK_AGAIN_MS), 'DELIVERY_FAILED', 'notification');
    },
  } satisfies OutboundActivities;
}
