// Sends an order's webhooks and messages.
import { LAST_SEND_MS, MAX_PER_ATTEMPT } from '../../domain/outbound/delivery-times';
import { formatSubject } from '../../domain/interventions/subjects';
import type { Database } from '../../database/database';
import type { DueDelivery } from '../../database/outbound/record-delivery-results';
import type { OutboundActivities } from '../../workflows/activity-contract';
import { OperationFailures, retryIn, type FailedOperation } from '../retries/failures';
import { recordAccepted } from './record-accepted';

/** Sends one kind of delivery: webhooks to the shop, or messages to the user. */
export interface DeliveryPort {
  /** @returns null when the receiver accepted it, else the error in a few words */
  send(delivery: DueDelivery): Promise<string | null>;
}

export interface OutboundActivityDeps {
  readonly database: Pick<Database, 'deliveries'>;
  readonly ports: Readonly<Record<DueDelivery['kind'], DeliveryPort>>;
  readonly now: () => number;
}

/** A delivery that becomes due within this is sent at once. */
const SEND_AHEAD_MS = 200;
/** While a delivery waits for its next attempt, new deliveries are looked for this often. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Makes the activity that sends deliveries, each at least once. One failure doesn't hold the
 * others back.
 */
export function createOutboundActivities({ database, ports, now }: OutboundActivityDeps) {
  /**
   * Sends in the order of the events; one that fails doesn't hold the next one back. Each that is
   * accepted is recorded at once: whatever happens to the next one, it is not sent again.
   */
  async function send(kind: DueDelivery['kind'], due: readonly DueDelivery[], lastAtMs: number) {
    const results: { delivery: DueDelivery; error: string | null }[] = [];
    for (const delivery of due.filter((one) => one.kind === kind)) {
      if (now() > lastAtMs) break;
      const error = await ports[kind].send(delivery);
      if (error === null) {
        await recordAccepted(() => database.deliveries.done([delivery], now()), now);
      }
      results.push({ delivery, error });
    }
    return results;
  }

  function failureOf(outTradeNo: string, delivery: DueDelivery, error: string): FailedOperation {
    const { kind, id, event } = delivery;
    const attempts = delivery.attempts + 1;
    return {
      operation: `notification.${kind}`,
      number: outTradeNo,
      subject: formatSubject(kind, id),
      code: 'DELIVERY_FAILED',
      evidence: { kind, event, message: error },
      attempts,
      settle: async (decision) => {
        if (decision.kind !== 'again') return;
        const retryAtMs = now() + decision.delayMs;
        await database.deliveries.failed(delivery, { error, attempts, retryAtMs });
      },
    };
  }

  return {
    async deliver(outTradeNo) {
      const lastSendAtMs = now() + LAST_SEND_MS;
      const pending = await database.deliveries.pending(outTradeNo);
      const due = pending
        .filter(({ nextAttemptAt }) => nextAttemptAt.getTime() <= now() + SEND_AHEAD_MS)
        .slice(0, MAX_PER_ATTEMPT);
      const kinds = ['webhook', 'message'] as const;
      const sent = await Promise.all(kinds.map((kind) => send(kind, due, lastSendAtMs)));
      const results = sent.flat();
      const laterMs = pending
        .filter((one) => !results.some(({ delivery }) => delivery === one))
        .map(({ nextAttemptAt }) => nextAttemptAt.getTime());
      const finish = (times: readonly number[]) =>
        database.deliveries.finishRound(outTradeNo, times.length > 0 ? Math.min(...times) : null);
      const untilLaterMs = Math.max(0, Math.min(...laterMs) - now());
      const withinMs = Math.min(untilLaterMs, LOOK_AGAIN_MS);
      const failures = results.flatMap(({ delivery, error }) =>
        error === null ? [] : [failureOf(outTradeNo, delivery, error)],
      );
      if (failures.length === 0) {
        const view = await finish(laterMs);
        if (laterMs.length === 0) return view;
        throw retryIn(withinMs, 'NOT_YET', 'notification');
      }
      throw new OperationFailures(failures, {
        withinMs,
        finish: async (delayMs) => {
          await finish(delayMs === null ? laterMs : [...laterMs, now() + delayMs]);
        },
      });
    },
  } satisfies OutboundActivities;
}
