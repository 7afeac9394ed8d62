import { getClient } from '@temporalio/activity';
import { orderRunStart, refundRunStart, sharingRunStart } from '../../domain/temporal/run-start';
import {
  NOTICE_SIGNAL,
  ORDER_WORKFLOW_TYPE,
  REFUND_WORKFLOW_TYPE,
  SHARING_WORKFLOW_TYPE,
} from '../../domain/temporal/workflow-ids';

/** Temporal takes a start or a signal within this, or the sweep makes it good. */
const WAKE_TIMEOUT_MS = 3_000;

/**
 * What an activity says to runs, through the client of its own worker. Every message starts the run if
 * there is none (P5); what is lost on the way is made good by the row's `due_at`.
 */
export const runs = {
  /**
   * Tells an order's run to look at its rows.
   * @param hint an inbox row's id, or a word for the history; the run reads no facts from it (P3)
   */
  async wakeOrder(outTradeNo: string, hint: string): Promise<void> {
    const client = getClient();
    await client.connection.withDeadline(Date.now() + WAKE_TIMEOUT_MS, () =>
      client.workflow.signalWithStart(ORDER_WORKFLOW_TYPE, {
        ...orderRunStart(outTradeNo),
        signal: NOTICE_SIGNAL,
        signalArgs: [hint],
      }),
    );
  },

  /** Makes sure that a refund has its run, and tells it to look at its row. */
  async wakeRefund(outRefundNo: string): Promise<void> {
    const client = getClient();
    await client.connection.withDeadline(Date.now() + WAKE_TIMEOUT_MS, () =>
      client.workflow.signalWithStart(REFUND_WORKFLOW_TYPE, {
        ...refundRunStart(outRefundNo),
        signal: NOTICE_SIGNAL,
        signalArgs: [outRefundNo],
      }),
    );
  },
  /** Makes sure that a profit sharing has its run. Told of one under way, it asks WeChat at once. */
  async wakeSharing(outOrderNo: string): Promise<void> {
    const client = getClient();
    await client.connection.withDeadline(Date.now() + WAKE_TIMEOUT_MS, () =>
      client.workflow.signalWithStart(SHARING_WORKFLOW_TYPE, {
        ...sharingRunStart(outOrderNo),
        signal: NOTICE_SIGNAL,
        signalArgs: [outOrderNo],
      }),
    );
  },
} as const;

export type Runs = typeof runs;
