// The run of one order: receives messages, lets the domain decide, starts activities.
// Sandbox: deterministic only.
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { closeCauseAfterQuery, nextMove, nextSteps, type Step } from '../domain/orders/next-steps';
import { canBePaid } from '../domain/orders/order-state';
import { isCloseSettled, isOlder, prepayReply } from '../domain/orders/reply-to-caller';
import type { CloseCause, PrepayReply, RunView } from '../domain/orders/run-view';
import { createActivitiesUnderWay, type ActivitiesUnderWay } from './activities-under-way';
import { createDisplay } from './display';
import { createMemory, type Memory } from './memory';
import {
  closeUpdate,
  noticeSignal,
  prepayUpdate,
  proposeSignal,
  resolutionUpdate,
} from './messages';
import { finishEffects, isBudgetSpent, outbound, queries, steps, wechat } from './call-activities';

/**
 * The run of one order; its id is the order number. It reads the rows, does what is left to do, and
 * ends when nothing is left and no person is needed. It can be started again at any time, because
 * the rows say how far the order is (P5, P6).
 */
export async function orderWorkflow(outTradeNo: string): Promise<string> {
  const memory = createMemory();
  const underWay = createActivitiesUnderWay();
  setHandlers(memory, underWay.wake);
  const show = createDisplay();
  await memory.refresh(steps.loadRun(outTradeNo));
  memory.woken ||= memory.view === null;
  for (;;) {
    await doDatabaseSteps(outTradeNo, memory, underWay);
    const { view } = memory;
    if (!view) break;
    const next = nextSteps(view, memory.steps, Date.now());
    memory.steps = next.memory;
    for (const step of next.steps) startStep(step, outTradeNo, memory, underWay);
    show(view);
    const move = nextMove(view, {
      isBusy: underWay.has('deliver') || underWay.has('effects'),
      hasNews: memory.woken || memory.stale,
    });
    if (move === 'end') break;
    if (move === 'clear_due') await memory.refresh(steps.rest(outTradeNo));
    if (move !== 'wait') continue;
    await underWay.nextChange();
    const hasNoMessages = memory.proposals.length === 0 && allHandlersFinished();
    if (workflowInfo().continueAsNewSuggested && hasNoMessages) {
      await continueAsNew<typeof orderWorkflow>(outTradeNo);
    }
  }
  memory.ending = true;
  await condition(allHandlersFinished);
  return memory.view?.status ?? 'unknown_order';
}

/**
 * Sets the handlers; they only write to the memory. It must be called before the first await, so
 * that a message that came with the start is received.
 */
function setHandlers(memory: Memory, wake: () => void): void {
  setHandler(noticeSignal, () => {
    memory.woken = true;
    wake();
  });
  setHandler(resolutionUpdate, async () => {
    memory.woken = true;
    memory.looksRequested += 1;
    const ticket = memory.looksRequested;
    wake();
    await condition(() => memory.ending || memory.looksDone >= ticket);
    return undefined;
  });
  setHandler(proposeSignal, (proposal) => {
    memory.proposals.push(proposal);
    wake();
  });
  setHandler(prepayUpdate, async (round, ended = 0): Promise<PrepayReply> => {
    const requestedRound = Math.max(memory.steps.requestedRound, round);
    memory.steps = { ...memory.steps, requestedRound };
    readAgainIfOlder(memory, ended);
    wake();
    await condition(() => replyTo(memory, round, ended) !== undefined);
    return replyTo(memory, round, ended) ?? 'unsettled';
  });
  setHandler(closeUpdate, async (ended = 0) => {
    const closeCause = memory.steps.closeCause ?? 'close_requested';
    memory.steps = { ...memory.steps, closeCause };
    readAgainIfOlder(memory, ended);
    wake();
    await condition(
      () => memory.ending || (memory.view !== undefined && isCloseSettled(memory.view, ended)),
    );
    return memory.view?.status ?? 'unknown_order';
  });
}

/** The caller has seen more interventions end than this run: it reads its rows again. */
function readAgainIfOlder(memory: Memory, ended: number): void {
  memory.stale ||= memory.view !== undefined && isOlder(memory.view, ended);
}

function replyTo(memory: Memory, round: number, ended: number): PrepayReply | undefined {
  if (memory.view === undefined) return undefined;
  const reply = prepayReply(memory.view, round, ended);
  return memory.ending ? (reply ?? 'unsettled') : reply;
}

/** Does the database steps that are left: first the inbox and the resolutions, then the effects. */
async function doDatabaseSteps(
  outTradeNo: string,
  memory: Memory,
  underWay: ActivitiesUnderWay,
): Promise<void> {
  if (memory.stale) await memory.refresh(steps.loadRun(outTradeNo));
  for (const proposal of memory.proposals.splice(0)) await steps.propose(outTradeNo, proposal);
  while (memory.woken || (memory.view?.openNotices ?? 0) > 0) {
    memory.woken = false;
    const { looksRequested } = memory;
    const applied = steps.applyNotices(outTradeNo);
    await memory.refresh(applied.then(({ view }) => view));
    const { more } = await applied;
    memory.woken ||= more;
    if (!more) memory.looksDone = looksRequested;
  }
  const { view } = memory;
  if ((view?.effectsDue ?? 0) > 0 && !underWay.has('effects')) {
    await memory.refresh(steps.runEffects(outTradeNo));
  }
}

/** Starts a step's activity beside the main loop, unless one of its kind is under way. */
function startStep(
  step: Step,
  outTradeNo: string,
  memory: Memory,
  underWay: ActivitiesUnderWay,
): void {
  underWay.start(step.kind, () =>
    carryOut(step, outTradeNo, memory).catch((error: unknown) => {
      if (!isBudgetSpent(error)) throw error;
      memory.stale = true;
    }),
  );
}

function carryOut(step: Step, outTradeNo: string, memory: Memory): Promise<void> {
  switch (step.kind) {
    case 'prepay':
      return memory.refresh(wechat.prepay(outTradeNo, step.round));
    case 'close':
      return carryOutClose(outTradeNo, step.cause, memory);
    case 'query':
      return query(outTradeNo, memory);
    case 'query_for_notices':
      return queries.queryForNotices(outTradeNo).then(() => {
        memory.woken = true;
      });
    case 'effects':
      return memory.refresh(finishEffects(outTradeNo));
    case 'deliver':
      return memory.refresh(outbound.deliver(outTradeNo));
  }
}

async function query(outTradeNo: string, memory: Memory): Promise<void> {
  const finding = await queries.queryPayment(outTradeNo);
  memory.woken = true;
  const closeCause = closeCauseAfterQuery(finding, memory.steps.closeCause);
  memory.steps = { ...memory.steps, closeCause };
}

/**
 * WeChat's report that the order is closed is used once: when the order is still open after it, it
 * goes on as before, and the row says whether a close is requested.
 */
async function carryOutClose(outTradeNo: string, cause: CloseCause, memory: Memory): Promise<void> {
  try {
    await memory.refresh(close(outTradeNo, cause));
  } finally {
    if (cause === 'closed_at_wechat') memory.steps = { ...memory.steps, closeCause: null };
  }
}

/** The database alone closes an order that WeChat can't know; any other is closed at WeChat. */
async function close(outTradeNo: string, cause: CloseCause): Promise<RunView | null> {
  const view = await steps.beginClose(outTradeNo, cause);
  return view && canBePaid(view.status) ? wechat.closeAtWechat(outTradeNo, cause) : view;
}
