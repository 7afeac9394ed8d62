// Sandbox: deterministic only.
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { canBePaid } from '../domain/orders/order-state';
import {
  isCloseSettled,
  isAtRest,
  isIdle,
  prepayReply,
  wantsPrepay,
  type CloseCause,
  type PrepayReply,
  type RunView,
} from '../domain/orders/run-view';
import type { QueryFinding } from './activity-contract';
import { createDisplay } from './display';
import { createFlights, isBudgetSpent, type FlightName, type Flights } from './flights';
import { createMemory, type Memory } from './memory';
import {
  closeUpdate,
  noticeSignal,
  prepayUpdate,
  proposeSignal,
  resolutionUpdate,
} from './messages';
import { finishEffects, outbound, queries, steps, wechat } from './steps';

/**
 * The run of one order; its id is the order number. It loads what is open, does what is left, one thing
 * at a time, and ends when there is nothing to do and nobody to wait for. It can be started again at
 * any time: the rows say where it stands (P5, P6).
 */
export async function orderWorkflow(outTradeNo: string): Promise<string> {
  const memory = createMemory();
  const flights = createFlights();
  listen(memory, flights.wake);
  const show = createDisplay();
  await memory.refresh(steps.loadRun(outTradeNo));
  memory.woken ||= memory.view === null;
  for (;;) {
    await settle(outTradeNo, memory, flights);
    if (!memory.view) break;
    launch(outTradeNo, memory, flights);
    show(memory.view);
    if (isIdle(memory.view) && !flights.has('deliver') && !flights.has('effects')) {
      if (memory.view.due) {
        await memory.refresh(steps.rest(outTradeNo));
        continue;
      }
      if (memory.woken || memory.stale) continue;
      if (isAtRest(memory.view)) break;
    }
    await flights.landing();
    const isHeard = memory.proposals.length === 0 && allHandlersFinished();
    if (workflowInfo().continueAsNewSuggested && isHeard) {
      await continueAsNew<typeof orderWorkflow>(outTradeNo);
    }
  }
  memory.ending = true;
  await condition(allHandlersFinished);
  return memory.view?.status ?? 'unknown_order';
}

/** Handlers only push; set before the first await, so that a message that came with the start is heard. */
function listen(memory: Memory, wake: () => void): void {
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
  setHandler(prepayUpdate, async (round): Promise<PrepayReply> => {
    memory.requestedRound = Math.max(memory.requestedRound, round);
    wake();
    await condition(() => answerOf(memory, round) !== undefined);
    return answerOf(memory, round) ?? 'unsettled';
  });
  setHandler(closeUpdate, async () => {
    memory.closeWanted ??= 'close_requested';
    wake();
    await condition(
      () => memory.ending || (memory.view !== undefined && isCloseSettled(memory.view)),
    );
    return memory.view?.status ?? 'unknown_order';
  });
}

function answerOf(memory: Memory, round: number): PrepayReply | undefined {
  if (memory.view === undefined) return undefined;
  const answer = prepayReply(memory.view, round);
  return memory.ending ? (answer ?? 'unsettled') : answer;
}

/** Does the database steps that are left: what the inbox has first, then the effects. */
async function settle(outTradeNo: string, memory: Memory, flights: Flights): Promise<void> {
  if (memory.stale) await memory.refresh(steps.loadRun(outTradeNo));
  for (const proposal of memory.proposals.splice(0)) await steps.propose(outTradeNo, proposal);
  while (memory.woken || (memory.view?.openNotices ?? 0) > 0) {
    memory.woken = false;
    const { looksRequested: asked } = memory;
    const applied = steps.applyNotices(outTradeNo);
    await memory.refresh(applied.then(({ view }) => view));
    const { more } = await applied;
    memory.woken ||= more;
    if (!more) memory.looksDone = asked;
  }
  const { view } = memory;
  if ((view?.effectsDue ?? 0) > 0 && !flights.has('effects')) {
    await memory.refresh(steps.runEffects(outTradeNo));
  }
}

/** Sends off what waits for somebody else; what is under way already stays one. */
function launch(outTradeNo: string, memory: Memory, flights: Flights): void {
  const { view } = memory;
  if (!view) return;
  const start = (name: FlightName, activity: () => Promise<void>) =>
    flights.start(name, () =>
      activity().catch((error: unknown) => {
        if (!isBudgetSpent(error)) throw error;
        memory.stale = true;
      }),
    );
  const fly = (name: FlightName, activity: () => Promise<RunView | null>) =>
    start(name, () => memory.refresh(activity()));
  if (canBePaid(view.status)) {
    if (view.closeRequested) memory.closeWanted ??= 'close_requested';
    const cause = memory.closeWanted;
    const round = wantsPrepay(view, memory.requestedRound, Date.now());
    const retries = view.retries ?? 0;
    const isNew = round !== null && round > memory.launchedRound;
    if (cause === null && round !== null && (isNew || retries > memory.launchedRetries)) {
      memory.launchedRound = round;
      memory.launchedRetries = retries;
      fly('prepay', () => wechat.prepay(outTradeNo, round));
    }
    // What WeChat says it has closed is closed, also where a person is asked about the close.
    if (cause !== null && (!view.closeFailed || cause === 'closed_at_wechat')) {
      if (cause === 'closed_at_wechat') memory.closeWanted = 'close_requested';
      fly('close', () => close(outTradeNo, cause));
    } else if (cause === null || view.closeFailed) {
      // As long as nobody closes it, it may be paid, and a callback may be lost.
      start('query', async () => heed(memory, await queries.queryPayment(outTradeNo)));
    }
  }
  if (view.effectsDue > 0) fly('effects', () => finishEffects(outTradeNo));
  if (view.deliveriesDue > 0) fly('deliver', () => outbound.deliver(outTradeNo));
}

/** An order that WeChat can't know is closed in the database alone; otherwise WeChat is asked. */
async function close(outTradeNo: string, cause: CloseCause): Promise<RunView | null> {
  const view = await steps.beginClose(outTradeNo, cause);
  return view && canBePaid(view.status) ? wechat.closeAtWechat(outTradeNo, cause) : view;
}

function heed(memory: Memory, finding: QueryFinding): void {
  memory.woken = true;
  if (finding === 'expired') memory.closeWanted ??= 'expired';
  if (finding === 'closed') memory.closeWanted = 'closed_at_wechat';
}
