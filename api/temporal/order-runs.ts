// Starts, wakes and updates the runs of orders, refunds, profit sharings and reconciliations.
import { parseSubject } from '../../domain/interventions/subjects';
import { WithStartWorkflowOperation, WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { InterventionReason } from '../../domain/interventions/reasons';
import type { PrepayReply } from '../../domain/orders/run-view';
import {
  orderRunStart,
  reconciliationRunStart,
  refundRunStart,
  sharingRunStart,
} from '../../domain/temporal/run-start';
import {
  closeUpdateId,
  ORDER_WORKFLOW_TYPE,
  orderWorkflowId,
  prepayUpdateId,
  RECONCILIATION_WORKFLOW_TYPE,
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

/** How long Temporal may take to accept a wake; after that the sweep wakes the run. */
const SIGNAL_TIMEOUT_MS = 5_000;
const STUCK: InterventionReason = 'stuck';

/** The intervention that a resolution resolves. */
export interface ResolvedIntervention {
  readonly reason: string;
  readonly subject: string;
}

/** The prepay that a caller requests of an order's run. */
export interface PrepayRequest {
  readonly round: number;
  /** How many interventions `wechat_failed` of the order have ended. */
  readonly ended: number;
}

/**
 * Every message of the api to a run. Each starts the run if it does not exist (P5), except
 * `wakeSharing`.
 */
export interface OrderRuns {
  /**
   * Wakes an order's run to read its rows.
   * @param cause an inbox row's id, or `close` after a request to close
   * @throws when Temporal does not accept it in time
   */
  wakeForNotice(outTradeNo: string, cause: string): Promise<void>;
  /**
   * Starts an order's run if it does not exist.
   * @throws when Temporal does not accept it in time
   */
  ensureOrderRun(outTradeNo: string): Promise<void>;
  /**
   * Starts a refund's run if it does not exist.
   * @throws when Temporal does not accept it in time
   */
  ensureRefundRun(outRefundNo: string): Promise<void>;
  /** The same for the run of a profit sharing. @throws when Temporal does not accept it in time */
  ensureSharingRun(outOrderNo: string): Promise<void>;
  /** The same for the run of a day's bill. @throws when Temporal does not accept it in time */
  ensureReconciliationRun(billDate: string): Promise<void>;
  /**
   * Wakes the run of a profit sharing to query WeChat now. Without a run it does nothing: the row
   * is due in any case. @throws when Temporal does not accept it in time
   */
  wakeSharing(outOrderNo: string): Promise<void>;
  /**
   * Wakes an order's run to carry out an approved resolution.
   * @throws when Temporal does not accept it in time
   */
  wakeForResolution(
    outTradeNo: string,
    resolutionId: string,
    intervention: ResolvedIntervention,
  ): Promise<void>;
  /**
   * Requests a prepay round and waits until anything decides the order.
   * @returns null when the run does not reply in time
   */
  prepay(
    outTradeNo: string,
    request: PrepayRequest,
    timeoutMs: number,
  ): Promise<PrepayReply | null>;
  /** As `wakeForResolution`, and waits until it is carried out or refused, at most `timeoutMs`. */
  resolve(
    outTradeNo: string,
    resolutionId: string,
    intervention: ResolvedIntervention,
    timeoutMs: number,
  ): Promise<void>;
  /**
   * Requests a close and waits until the order is closed or can't be closed.
   * @param ended how many interventions `wechat_failed` of the order have ended
   * @returns null when the run does not reply in time
   */
  close(outTradeNo: string, ended: number, timeoutMs: number): Promise<string | null>;
}

export interface OrderRunDeps {
  readonly client: Client;
  /** Called with the error that ended a wait for a run's reply, for the log. */
  readonly onFailure: (error: unknown, outTradeNo: string) => void;
  /**
   * Stores the stuck run that a resolution ends. A resolution is reported until it is carried out,
   * and ends one run: the first report decides which.
   * @param runId Temporal's id of the run that is there now; empty when none is
   * @returns the id that the first report has stored
   */
  readonly claimRunToEnd: (resolutionId: string, runId: string) => Promise<string>;
}

/** Makes the messages to the runs from a client of Temporal. */
export function createOrderRuns(deps: OrderRunDeps): OrderRuns {
  const { client, onFailure } = deps;
  const operation = (outTradeNo: string) =>
    new WithStartWorkflowOperation(ORDER_WORKFLOW_TYPE, {
      ...orderRunStart(outTradeNo),
      workflowIdConflictPolicy: 'USE_EXISTING',
    });

  async function replyWithin<T>(
    outTradeNo: string,
    timeoutMs: number,
    update: () => Promise<T>,
  ): Promise<T | null> {
    try {
      return await client.connection.withDeadline(Date.now() + timeoutMs, update);
    } catch (error) {
      onFailure(error, outTradeNo);
      return null;
    }
  }

  return {
    ...createMessages(deps),
    prepay: (outTradeNo, { round, ended }, timeoutMs) =>
      replyWithin(outTradeNo, timeoutMs, () =>
        client.workflow.executeUpdateWithStart(prepayUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [round, ended],
          updateId: prepayUpdateId(round, ended),
        }),
      ),
    async resolve(outTradeNo, resolutionId, intervention, timeoutMs) {
      await replyWithin(outTradeNo, timeoutMs, async () => {
        await endStuckRun(deps, outTradeNo, resolutionId, intervention);
        await client.workflow.executeUpdateWithStart(resolutionUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [resolutionId],
          updateId: resolutionUpdateId(resolutionId),
        });
      });
    },
    close: (outTradeNo, ended, timeoutMs) =>
      replyWithin(outTradeNo, timeoutMs, () =>
        client.workflow.executeUpdateWithStart(closeUpdate, {
          startWorkflowOperation: operation(outTradeNo),
          args: [ended],
          updateId: closeUpdateId(ended),
        }),
      ),
  };
}

/** The messages that need no reply of the run: they end when Temporal has accepted them. */
function createMessages(
  deps: OrderRunDeps,
): Pick<
  OrderRuns,
  | 'wakeForNotice'
  | 'ensureOrderRun'
  | 'ensureRefundRun'
  | 'ensureSharingRun'
  | 'ensureReconciliationRun'
  | 'wakeSharing'
  | 'wakeForResolution'
> {
  const { client } = deps;
  const accepted = async (send: () => Promise<unknown>): Promise<void> => {
    await client.connection.withDeadline(Date.now() + SIGNAL_TIMEOUT_MS, send);
  };

  const wakeForNotice = (outTradeNo: string, cause: string) =>
    accepted(() =>
      client.workflow.signalWithStart(ORDER_WORKFLOW_TYPE, {
        ...orderRunStart(outTradeNo),
        signal: noticeSignal,
        signalArgs: [cause],
      }),
    );

  return {
    wakeForNotice,
    ensureOrderRun: (outTradeNo) =>
      accepted(() =>
        client.workflow.start(ORDER_WORKFLOW_TYPE, {
          ...orderRunStart(outTradeNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    ensureRefundRun: (outRefundNo) =>
      accepted(() =>
        client.workflow.start(REFUND_WORKFLOW_TYPE, {
          ...refundRunStart(outRefundNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    ensureSharingRun: (outOrderNo) =>
      accepted(() =>
        client.workflow.start(SHARING_WORKFLOW_TYPE, {
          ...sharingRunStart(outOrderNo),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    ensureReconciliationRun: (billDate) =>
      accepted(() =>
        client.workflow.start(RECONCILIATION_WORKFLOW_TYPE, {
          ...reconciliationRunStart(billDate),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      ),
    wakeSharing: (outOrderNo) =>
      accepted(() => {
        const run = client.workflow.getHandle(sharingWorkflowId(outOrderNo));
        return run.signal(noticeSignal, outOrderNo).catch(unlessGone);
      }),
    async wakeForResolution(outTradeNo, resolutionId, intervention) {
      await accepted(() => endStuckRun(deps, outTradeNo, resolutionId, intervention));
      await wakeForNotice(outTradeNo, resolutionUpdateId(resolutionId));
    },
  };
}

/**
 * A stuck run can't read messages either. It is ended; the next run begins from the rows (P5). That
 * one is left alone when the same resolution is reported again.
 */
async function endStuckRun(
  { client, claimRunToEnd }: OrderRunDeps,
  outTradeNo: string,
  resolutionId: string,
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
  const runId = await claimRunToEnd(resolutionId, await openRunOf(client, workflowId));
  if (runId === '') return;
  const run = client.workflow.getHandle(workflowId, runId);
  const why = 'The intervention "stuck" is resolved; the next run continues from the rows';
  await run.terminate(why).catch(unlessGone);
}

/** @returns the id of the open run; empty when there is none */
async function openRunOf(client: Client, workflowId: string): Promise<string> {
  try {
    const { runId, status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' ? runId : '';
  } catch (error) {
    unlessGone(error);
    return '';
  }
}

/** Ignores that the run does not exist. */
function unlessGone(error: unknown): void {
  if (!(error instanceof WorkflowNotFoundError)) throw error;
}
