// Decides which activities an order's run starts next, and whether the run then waits or ends.
// Sandbox: deterministic only.
import { canBePaid } from './order-state';
import type { CloseCause, QueryFinding, RunView } from './run-view';

/** The part of a run's memory that its decisions read and change. */
export interface StepMemory {
  /** The highest prepay round that a caller has asked for; 0 when no caller has. */
  readonly requestedRound: number;
  /** The last prepay round that was started; its activity settles it, so each round starts once. */
  readonly startedRound: number;
  /** `RunView.retries` when that round was started. A higher number starts the round once more. */
  readonly startedRetries: number;
  /** Why the order has to be closed; null while it may stay open. */
  readonly closeCause: CloseCause | null;
}

/** The memory of a run that has just started. */
export const NO_STEPS_YET: StepMemory = {
  requestedRound: 0,
  startedRound: 0,
  startedRetries: 0,
  closeCause: null,
};

/** An activity to start, unless one of the same kind is under way. */
export type Step =
  | { readonly kind: 'prepay'; readonly round: number }
  | { readonly kind: 'close'; readonly cause: CloseCause }
  | { readonly kind: 'query' }
  | { readonly kind: 'query_for_notices' }
  | { readonly kind: 'effects' }
  | { readonly kind: 'deliver' };

export interface NextSteps {
  /** In the order in which they start; recorded histories have the same order. */
  readonly steps: readonly Step[];
  /** Replaces the memory. */
  readonly memory: StepMemory;
}

/**
 * Decides which activities an order's run starts. An activity that is under way counts as started,
 * so the same view may name it again.
 * @param nowMs Unix time in ms; no prepay starts at `expiresAtMs` or later
 */
export function nextSteps(view: RunView, memory: StepMemory, nowMs: number): NextSteps {
  const open = canBePaid(view.status) ? whilePayable(view, memory, nowMs) : { steps: [], memory };
  const steps: Step[] = [...open.steps];
  if ((view.noticesToQuery ?? 0) > 0) steps.push({ kind: 'query_for_notices' });
  if (view.effectsDue > 0) steps.push({ kind: 'effects' });
  if (view.deliveriesDue > 0) steps.push({ kind: 'deliver' });
  return { steps, memory: open.memory };
}

/** An order that can be paid is closed, or else queried: a callback may get lost. */
function whilePayable(view: RunView, memory: StepMemory, nowMs: number): NextSteps {
  const cause = memory.closeCause ?? (view.closeRequested ? 'close_requested' : null);
  if (cause !== null) return whileClosing(view, { ...memory, closeCause: cause }, cause);
  const round = roundToStart(view, memory, nowMs);
  if (round === null) return { steps: [{ kind: 'query' }], memory };
  return {
    steps: [{ kind: 'prepay', round }, { kind: 'query' }],
    memory: { ...memory, startedRound: round, startedRetries: view.retries ?? 0 },
  };
}

/**
 * A close that failed waits for a person, and the order is queried meanwhile. WeChat's own report
 * that it has closed the order is followed all the same, once: while the step is under way the
 * cause is an ordinary one, and the run forgets it when the step has ended.
 */
function whileClosing(view: RunView, memory: StepMemory, cause: CloseCause): NextSteps {
  if (cause === 'closed_at_wechat') {
    return {
      steps: [{ kind: 'close', cause }],
      memory: { ...memory, closeCause: 'close_requested' },
    };
  }
  return { steps: [view.closeFailed ? { kind: 'query' } : { kind: 'close', cause }], memory };
}

/** @returns null when no prepay round has to start now */
function roundToStart(view: RunView, memory: StepMemory, nowMs: number): number | null {
  if (view.refused || view.prepayFailed === true || view.expiresAtMs <= nowMs) return null;
  const round = Math.max(1, memory.requestedRound);
  if (view.prepayRounds >= round) return null;
  const isRetried = (view.retries ?? 0) > memory.startedRetries;
  return round > memory.startedRound || isRetried ? round : null;
}

/** Why the order has to be closed, after the query activity has ended with `finding`. */
export function closeCauseAfterQuery(
  finding: QueryFinding,
  cause: CloseCause | null,
): CloseCause | null {
  switch (finding) {
    case 'expired':
      return cause ?? 'expired';
    case 'closed':
      return 'closed_at_wechat';
    case 'found':
    case 'gone':
    case 'attention':
      return cause;
  }
}

/** The run's move after it has started its steps. */
export type NextMove =
  /** It clears `due_at` in the row, then decides again. */
  | 'clear_due'
  /** It decides again at once. */
  | 'decide_again'
  /** It waits until an activity ends or a message comes. */
  | 'wait'
  /** It ends: nothing is left to do, and no person and no activity will bring anything. */
  | 'end';

/**
 * Decides whether the run waits, ends or decides once more.
 * @param run.isBusy effects or deliveries are under way
 * @param run.hasNews a message came, or the view may be out of date
 */
export function nextMove(
  view: RunView,
  run: { readonly isBusy: boolean; readonly hasNews: boolean },
): NextMove {
  if (run.isBusy || !isIdle(view)) return 'wait';
  if (view.due) return 'clear_due';
  if (run.hasNews) return 'decide_again';
  return view.openInterventions === 0 ? 'end' : 'wait';
}

/** True when the rows leave nothing that the run could do by itself. */
function isIdle(view: RunView): boolean {
  return (
    !canBePaid(view.status) &&
    view.openNotices === 0 &&
    (view.noticesToQuery ?? 0) === 0 &&
    view.effectsDue === 0 &&
    view.deliveriesDue === 0
  );
}
