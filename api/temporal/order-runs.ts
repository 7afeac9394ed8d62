import { parseSubject } from '../../domain/interventions/subjects';
import { WithStartWorkflowOperation, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { InterventionReason } from '../../domain/interventions/reasons';
import type { PrepayReply } from '../../domain/orders/run-view';
import { orderRunStart, refundRunStart, sharingRunStart } from '../../domain/temporal/run-start';
import {
  CLOSE_UPDATE_ID,
  ORDER_WORKFLOW_TYPE,
  orderWorkflowId,
  prepayUpdateId,
  refundWorkflowId,
  REFUND_WORKFLOW_TYPE,
  resolutionUpdateId,
  SHARING_WORKFLOW_TYPE,
  sharingWorkflowId,
} from '../../domain/temporal/workflow-ids';
import {
  closeUpdate,
  noticeSignal,
  prepayUpdate,
  resolutionUpdate,
} from '../../workflows/messages';

/** A run is told of its inbox row within this, or the sweep does it later. */
const SIGNAL_TIMEOUT_MS = 5_000;
const STUCK: InterventionReason = 'stuck';

/** What the question is about that an answer is given to. */
export interface ResolvedIntervention {
  readonly reason: string;
  readonly subject: string;
}

/** What the api says to the runs of orders. Every message starts the run if there is none (P5). */
export interface OrderRuns {
  /** @throws when Temporal did not take it in time */
  wakeForNotice(outTradeNo: string, inboxId: string): Promise<void>;
  /** Makes sure that there is a run. @throws when Temporal did not take it in time */
  ensureOrderRun(outTradeNo: string): Promise<void>;
  /** Makes sure that a refund has its run. @throws when Temporal did not take it in time */
  ensureRefundRun(outRefundNo: string): Promise<void>;
  /** Makes sure that a profit sharing has its run. @throws when Temporal did not take it in time */
  ensureSharingRun(outOrderNo: string): Promise<void>;
  /** Tells the run of a sharing, if there is one, to ask WeChat now: its row is due in any case. */
  wakeSharing(outOrderNo: string): Promise<void>;
  /**
   * Tells an order's run of a person's approved answer.
   * @throws when Temporal did not take it in time
   */
  wakeForResolution(
    outTradeNo: string,
    resolutionId: string,
    question: ResolvedIntervention,
  ): Promise<void>;
  /** @returns null when there is no answer in time */
  prepay(outTradeNo: string, round: number, timeoutMs: number): Promise<PrepayReply | null>;
  /** As `answer`, and waits until it is carried out or refused, at most `timeoutMs`. */
  resolve(
    outTradeNo: string,
    resolutionId: string,
    question: ResolvedIntervention,
    timeoutMs: number,
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

  async function replyWithin<T>(
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
    ...createMessages(client),
    prepay: (outTradeNo, round, timeoutMs) =>
      replyWithin(outTradeNo, timeoutMs, () =>
        client.workflow.executeUpdateWithStart(prepayUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [round],
          updateId: prepayUpdateId(round),
        }),
      ),
    async resolve(outTradeNo, resolutionId, question, timeoutMs) {
      await replyWithin(outTradeNo, timeoutMs, async () => {
        await endStuckRun(client, outTradeNo, question);
        await client.workflow.executeUpdateWithStart(resolutionUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [resolutionId],
          updateId: resolutionUpdateId(resolutionId),
        });
      });
    },
    close: (outTradeNo, timeoutMs) =>
      replyWithin(outTradeNo, timeoutMs, () =>
        client.workflow.executeUpdateWithStart(closeUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [],
          updateId: CLOSE_UPDATE_ID,
        }),
      ),
  };
}

/** What needs no answer of the run: done when Temporal has it. */
function createMessages(
  client: Client,
): Pick<
  OrderRuns,
  | 'wakeForNotice'
  | 'ensureOrderRun'
  | 'ensureRefundRun'
  | 'ensureSharingRun'
  | 'wakeSharing'
  | 'wakeForResolution'
> {
  const taken = async (tell: () => Promise<unknown>): Promise<void> => {
    await client.connection.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, tell);
  };

  const wakeForNotice = (outTradeNo: string, hint: string) =>
    taken(() =>
      client.workflow.signalWithStart(ORDER_WORKFLOW_TYPE, {
        ...orderRunStart(outTradeNo),
        signal: noticeSignal,
        signalArgs: [hint],
      }),
    );

  return {
    wakeForNotice: wakeForNotice,
    ensureOrderRun: (outTradeNo) =>
      taken(() =>
        client.workflow.start(ORDER_WORKFLOW_TYPE, {
          ...orderRunStart(outTradeNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    ensureRefundRun: (outRefundNo) =>
      taken(() =>
        client.workflow.start(REFUND_WORKFLOW_TYPE, {
          ...refundRunStart(outRefundNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    ensureSharingRun: (outOrderNo) =>
      taken(() =>
        client.workflow.start(SHARING_WORKFLOW_TYPE, {
          ...sharingRunStart(outOrderNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    wakeSharing: (outOrderNo) =>
      taken(() => {
        const run = client.workflow.getHandle(sharingWorkflowId(outOrderNo));
        return run.signal(noticeSignal, outOrderNo).catch(unlessGone);
      }),
    async wakeForResolution(outTradeNo, resolutionId, question) {
      await taken(() => endStuckRun(client, outTradeNo, question));
      await wakeForNotice(outTradeNo, resolutionUpdateId(resolutionId));
    },
  };
}

/** A run that can't go on can't hear either: the next one begins with what the rows say (P5). */
async function endStuckRun(
  client: Client,
  outTradeNo: string,
  { reason, subject }: ResolvedIntervention,
): Promise<void> {
  if (reason !== STUCK) return;
  const { kind, id } = parseSubject(subject);
  const workflowId =
    kind === 'refund'
      ? refundWorkflowId(id)
      : kind === 'sharing'
        ? sharingWorkflowId(id)
        : orderWorkflowId(outTradeNo);
  await client.workflow.getHandle(workflowId).terminate('A person said: again').catch(unlessGone);
}

function unlessGone(error: unknown): void {
  if (!(error instanceof WorkflowNotFoundError)) throw error;
}
