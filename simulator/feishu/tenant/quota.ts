// Counts the tenant's calls of a month against its quota.
import { refuse, type Reply } from '../http/reply';

const BEIJING_AHEAD_MS = 8 * 60 * 60_000;

export interface Quota {
  /** Counts a call; the refusal when the month's calls are used up. */
  count: () => Reply | null;
  callsThisMonth: () => number;
  /** Null: no quota, as on paid plans. */
  set: (monthlyCalls: number | null) => void;
  clear: () => void;
}

/** A month is one in Beijing. Refused calls don't count. */
export function createQuota(monthlyCalls: number | null, now: () => number): Quota {
  let limit = monthlyCalls;
  let month = '';
  let calls = 0;
  const turn = (): void => {
    const current = new Date(now() + BEIJING_AHEAD_MS).toISOString().slice(0, 7);
    if (current === month) return;
    month = current;
    calls = 0;
  };
  return {
    count: () => {
      turn();
      if (limit !== null && calls >= limit) return refuse(99991403);
      calls++;
      return null;
    },
    callsThisMonth: () => {
      turn();
      return calls;
    },
    set: (next) => {
      limit = next;
    },
    clear: () => {
      calls = 0;
      limit = monthlyCalls;
    },
  };
}
