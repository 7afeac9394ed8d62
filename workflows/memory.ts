// The memory of an order's run between two steps.
// Sandbox: deterministic only.
import { NO_STEPS_YET, type StepMemory } from '../domain/orders/next-steps';
import type { RunView } from '../domain/orders/run-view';
import type { Proposal } from './activity-contract';

/** The state of a run between two steps. Nothing here counts after its end: the rows do. */
export interface Memory {
  /** undefined until loaded; null when the number is not one of our orders. */
  view: RunView | null | undefined;
  /** Two results crossed: the rows have to be read again. */
  stale: boolean;
  /** The inbox or the resolutions may have a new row. */
  woken: boolean;
  /** Counts the updates that asked the run to read its rows, and how many of them are done. */
  looksRequested: number;
  looksDone: number;
  /** Resolutions that a person proposed by hand in Web UI. */
  readonly proposals: Proposal[];
  /** The part of the memory that the decision about the next steps reads and changes. */
  steps: StepMemory;
  /** The run is about to end: every update gets its reply now. */
  ending: boolean;
  /**
   * Stores the view that a step returns. When another step returned one in between, either may be
   * the older: the stored view then counts as stale.
   */
  refresh(result: Promise<RunView | null>): Promise<void>;
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
    steps: NO_STEPS_YET,
    ending: false,
    async refresh(result) {
      const since = version;
      const view = await result;
      this.stale = version !== since;
      version += 1;
      this.view = view;
    },
  };
}
