// Sandbox: deterministic only.
import type { CloseCause, RunView } from '../domain/orders/run-view';
import type { Proposal } from './activity-contract';

/** What a run remembers between two steps; everything that counts is in the rows. */
export interface Memory {
  /** undefined until loaded; null when the number is not ours. */
  view: RunView | null | undefined;
  /** Two answers crossed: the rows have to be read again. */
  stale: boolean;
  /** The inbox or the answers may have something new. */
  woken: boolean;
  /** Counts what was asked to be looked at, and how much of it has been. */
  looksRequested: number;
  looksDone: number;
  /** Answers that somebody proposed by hand. */
  readonly proposals: Proposal[];
  /** The highest prepay round asked for. */
  requestedRound: number;
  /** The last prepay round sent off: a round ends settled one way or the other, so each goes once. */
  launchedRound: number;
  /** How often a person said "again" when that round was sent. */
  launchedRetries: number;
  closeWanted: CloseCause | null;
  ending: boolean;
  /**
   * Takes over the view that a step answers with. When another one came in between, either may be the
   * older: the view then counts as stale.
   */
  refresh(answer: Promise<RunView | null>): Promise<void>;
}

export function createMemory(): Memory {
  let version = 0;
  return {
    view: undefined,
    stale: false,
    woken: false,
    looksRequested: 0,
    looksDone: 0,
    proposals: [],
    requestedRound: 0,
    launchedRound: 0,
    launchedRetries: 0,
    closeWanted: null,
    ending: false,
    async refresh(answer) {
      const since = version;
      const view = await answer;
      this.stale = version !== since;
      version += 1;
      this.view = view;
    },
  };
}
