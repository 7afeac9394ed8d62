// Ends share returns.
import { ControlRefusal } from '../http/reply';
import { createOutcomeRules } from '../time/outcome-rules';
import type { ReturnEnd, ReturnResult, SharingStore, SimulatedReturn } from './sharing-store';
import type { Timers } from '../time/timers';

const DEFAULT_FAIL_REASON = 'BALANCE_NOT_ENOUGH';

/** Says how the share returns that follow end. The newest rule that applies counts. */
export interface ReturnOutcome {
  /** PROCESSING: the return stays so until it is settled by hand. */
  readonly result: ReturnResult;
  /** For FAILED. Default BALANCE_NOT_ENOUGH. */
  readonly failReason?: string | undefined;
  /** The return is PROCESSING for this long. Default: it ends at once, as most of WeChat's do. */
  readonly afterMs?: number | undefined;
  /** Only this return. */
  readonly outReturnNo?: string | undefined;
  /** Only returns to this order. */
  readonly outTradeNo?: string | undefined;
  /** How many returns the rule applies to. Default: all. */
  readonly times?: number | undefined;
}

export interface SettleReturnRequest {
  readonly outReturnNo: string;
  readonly result: ReturnEnd;
  readonly failReason?: string | undefined;
}

export interface ReturnSettlement {
  /** Plans the end of a return that has just become PROCESSING. */
  begin: (one: SimulatedReturn) => void;
  setOutcome: (outcome: ReturnOutcome) => void;
  /** @throws ControlRefusal when there is no such return, or it ended otherwise. */
  settle: (request: SettleReturnRequest) => void;
  /** Cancels everything that waits. */
  clear: () => void;
}

/**
 * Ends share returns at once, after a while, or on request. WeChat sends no callback: they are
 * queried.
 */
export function createReturnSettlement(deps: {
  readonly store: SharingStore;
  readonly timers: Timers;
  readonly now: () => number;
}): ReturnSettlement {
  const outcomes = createOutcomeRules<ReturnOutcome, 'outReturnNo' | 'outTradeNo'>(
    ['outReturnNo', 'outTradeNo'],
    { result: 'SUCCESS' },
  );
  const waiting = new Map<SimulatedReturn, () => void>();
  const finish = (one: SimulatedReturn, result: ReturnEnd, failReason?: string): void => {
    waiting.get(one)?.();
    waiting.delete(one);
    one.result = result;
    one.failReason = result === 'FAILED' ? (failReason ?? DEFAULT_FAIL_REASON) : null;
    one.finishedAtMs ??= deps.now();
  };
  return {
    begin: (one) => {
      const { outTradeNo } = one.sharing.order;
      const rule = outcomes.take({ outReturnNo: one.outReturnNo, outTradeNo });
      const { result, failReason, afterMs } = rule;
      if (result === 'PROCESSING') return;
      if (afterMs === undefined) {
        finish(one, result, failReason);
        return;
      }
      const end = (): void => finish(one, result, failReason);
      waiting.set(one, deps.timers.after(afterMs, end));
    },
    setOutcome: outcomes.set,
    settle: ({ outReturnNo, result, failReason }) => {
      const one = deps.store.returns.findAnywhere(outReturnNo);
      if (one === null) throw new ControlRefusal(404, 'RESOURCE_NOT_EXISTS', 'no such return');
      if (one.result !== 'PROCESSING' && one.result !== result) {
        throw new ControlRefusal(409, 'RETURN_ENDED', `the return is ${one.result}`);
      }
      finish(one, result, failReason);
    },
    clear: () => {
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
      outcomes.clear();
    },
  };
}
