import { WithStartWorkflowOperation, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { PrepayAnswer } from '../../domain/run-view';
import { orderRunStart } from '../../domain/run-start';
import {
  CLOSE_UPDATE_ID,
  ORDER_WORKFLOW_TYPE,
  orderWorkflowId,
  prepayUpdateId,
  resolutionUpdateId,
} from '../../domain/workflow-ids';
import {
  closeUpdate,
  noticeSignal,
  prepayUpdate,
  resolutionUpdate,
} from '../../workflows/messages';

/** A run is told of its inbox row within this, or the sweep does it later. */
const SIGNAL_TIMEOUT_MS = 5_000;

/** What the api says to the runs of orders. Every message starts the run if there is none (P5). */
export interface OrderRuns {
  /** @throws when Temporal did not take it in time */
  notify(outTradeNo: string, inboxId: string): Promise<void>;
  /** Makes sure that there is a run. @throws when Temporal did not take it in time */
  ensure(outTradeNo: string): Promise<void>;
  /** @returns null when there is no answer in time */
  prepay(outTradeNo: string, round: number, timeoutMs: number): Promise<PrepayAnswer | null>;
  /**
   * Tells a run of a person's answer, and waits until it is carried out or refused.
   * @param restart the run can't go on: it is ended first, and a new one hears
   */
  resolve(
    outTradeNo: string,
    resolutionId: string,
    options: { readonly timeoutMs: number; readonly restart: boolean },
  ): Promise<void>;
  /** @returns null when there is no answer in time */
  close(outTradeNo: string, timeoutMs: number): Promise<string | null>;
}

/** @param onFailure gets what a bounded wait ended with, for the log */
export function createOrderRuns(
  client: Client,
  onFailure: (error: unknown, outTradeNo: string) => void,
): OrderRuns {
  const operation = (outTradeNo: string) =>
    new WithStartWorkflowOperation(ORDER_WORKFLOW_TYPE, {
      ...orderRunStart(outTradeNo),
      workflowIdConflictPolicy: 'USE_EXISTING',
    });

  async function answerWithin<T>(
    outTradeNo: string,
    timeoutMs: number,
    ask: () => Promise<T>,
  ): Promise<T | null> {
    try {
      return await client.connection.withDeadline(Date.now() + timeoutMs, ask);
    } catch (error) {
      onFailure(error, outTradeNo);
      return null;
    }
  }

  return {
    async notify(outTradeNo, inboxId) {
      await client.connection.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, () =>
        client.workflow.signalWithStart(ORDER_WORKFLOW_TYPE, {
          ...orderRunStart(outTradeNo),
          signal: noticeSignal,
          signalArgs: [inboxId],
        }),
      );
    },
    async ensure(outTradeNo) {
      await client.connection.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, () =>
        client.workflow.start(ORDER_WORKFLOW_TYPE, {
          ...orderRunStart(outTradeNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      );
    },
    prepay: (outTradeNo, round, timeoutMs) =>
      answerWithin(outTradeNo, timeoutMs, () =>
        client.workflow.executeUpdateWithStart(prepayUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [round],
          updateId: prepayUpdateId(round),
        }),
      ),
    async resolve(outTradeNo, resolutionId, { timeoutMs, restart }) {
      await answerWithin(outTradeNo, timeoutMs, async () => {
        if (restart) await terminateRun(client, outTradeNo);
        await client.workflow.executeUpdateWithStart(resolutionUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [resolutionId],
          updateId: resolutionUpdateId(resolutionId),
        });
      });
    },
    close: (outTradeNo, timeoutMs) =>
      answerWithin(outTradeNo, timeoutMs, () =>
        client.workflow.executeUpdateWithStart(closeUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [],
          updateId: CLOSE_UPDATE_ID,
        }),
      ),
  };
}

/** Ends a run that can't go on; its rows say what is left (P5). */
async function terminateRun(client: Client, outTradeNo: string): Promise<void> {
  try {
    await client.workflow.getHandle(orderWorkflowId(outTradeNo)).terminate('stuck: started anew');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}
