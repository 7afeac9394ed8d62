// Wakes runs from within activities, by a signal that also starts a missing run.
import { getClient } from '@temporalio/activity';
import {
  orderRunStart,
  reconciliationRunStart,
  refundRunStart,
  sharingRunStart,
} from '../../domain/temporal/run-start';
import {
  NOTICE_SIGNAL,
  ORDER_WORKFLOW_TYPE,
  RECONCILIATION_WORKFLOW_TYPE,
  REFUND_WORKFLOW_TYPE,
  SHARING_WORKFLOW_TYPE,
} from '../../domain/temporal/workflow-ids';

/** Temporal has to accept a signal within this; else the sweep wakes the run later. */
const WAKE_TIMEOUT_MS = 3_000;

/**
 * Wakes runs through the client of the activity's own worker. Each signal starts the run when there
 * is none (P5). When a signal is lost, the sweep wakes the run at the row's `due_at`.
 */
export const runs = {
  /**
   * Wakes an order's run, which then reads its rows.
   * @param hint an inbox row's id, or a word for people who read the history; it carries no facts
   * (P3)
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

  /** Wakes a refund's run, which then reads its row. */
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

  /**
   * Wakes a profit sharing's run. When the sharing is under way, the run queries WeChat at once.
   */
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

  /** Starts the run that reconciles a day; one that is there goes on. */
  async startReconciliation(billDate: string): Promise<void> {
    const client = getClient();
    await client.connection.withDeadline(Date.now() + WAKE_TIMEOUT_MS, () =>
      client.workflow.start(RECONCILIATION_WORKFLOW_TYPE, {
        ...reconciliationRunStart(billDate),
        workflowIdConflictPolicy: 'USE_EXISTING',
      }),
    );
  },
} as const;

export type Runs = typeof runs;
