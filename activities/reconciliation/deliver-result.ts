// Sends the webhooks with the results of reconciliations.
import type { Database } from '../../database/database';
import type { DueDelivery } from '../../database/outbound/record-delivery-results';
import { formatSubject } from '../../domain/interventions/subjects';
import { isBillDate } from '../../domain/reconciliation/bill-days';
import type { ReconciliationOutboundActivities } from '../../workflows/activity-contract';
import type { DeliveryPort } from '../outbound/activities';
import { recordAccepted } from '../outbound/record-accepted';
import { OperationFailure, retryIn } from '../retries/failures';

export interface ResultDeliveryDeps {
  readonly database: Pick<Database, 'deliveries' | 'reconciliations'>;
  readonly webhook: DeliveryPort;
  readonly now: () => number;
}

/**
 * Makes the activity that sends the webhooks, each at least once, always under the same id. A run
 * also sends the webhook of a day whose own run was lost before it could.
 */
export function createResultDelivery(deps: ResultDeliveryDeps) {
  const { database, webhook, now } = deps;
  return {
    async deliverReconciliations() {
      const pending = await database.deliveries.pendingOfNoOrder();
      if (pending.length === 0) return;
      const due = pending.find(({ nextAttemptAt }) => nextAttemptAt.getTime() <= now());
      if (!due) {
        const nextMs = Math.min(...pending.map(({ nextAttemptAt }) => nextAttemptAt.getTime()));
        throw retryIn(nextMs - now(), 'NOT_YET', 'notification');
      }
      const error = await webhook.send(due);
      if (error !== null) throw failureOf(deps, due, error);
      await recordAccepted(() => database.deliveries.done([due], now()), now);
      if (pending.length > 1) throw retryIn(1, 'NOT_YET', 'notification');
    },
  } satisfies ReconciliationOutboundActivities;
}

function failureOf({ database, now }: ResultDeliveryDeps, due: DueDelivery, error: string) {
  const [billDate = ''] = due.id.split(':');
  const attempts = due.attempts + 1;
  return new OperationFailure({
    operation: 'notification.webhook',
    number: billDate,
    subject: formatSubject('webhook', due.id),
    code: 'DELIVERY_FAILED',
    evidence: { event: due.event, message: error },
    attempts,
    settle: async (decision) => {
      if (decision.kind !== 'again') return;
      const retryAtMs = now() + decision.delayMs;
      await database.deliveries.failed(due, { error, attempts, retryAtMs });
    },
    giveUp: async () => {
      if (!isBillDate(billDate)) throw new Error(`Delivery ${due.id} is about no day`);
      await database.reconciliations.abandonWebhook(billDate, { id: due.id, error }, now());
    },
  });
}
