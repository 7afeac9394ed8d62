// Lets the run of an order take its next query turn at once, instead of at its scheduled time.
import { temporal } from '@temporalio/proto';
import type { TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

const { PENDING_ACTIVITY_STATE_SCHEDULED: SCHEDULED } = temporal.api.enums.v1.PendingActivityState;

/** Waits until the order's query activity waits for its next attempt, and starts that attempt. */
export async function queryAgain(oncepay: TestOncepay, no: string): Promise<void> {
  const { workflow, workflowService, options } = oncepay.temporal;
  await until('its query waits', async () => {
    const { raw } = await workflow.getHandle(no).describe();
    const [waiting] = raw.pendingActivities ?? [];
    return waiting?.state === SCHEDULED || null;
  });
  await workflowService.resetActivity({
    namespace: options.namespace,
    execution: { workflowId: no },
    type: 'queryPayment',
  });
}
