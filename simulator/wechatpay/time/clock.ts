/**
 * WeChat's time of business, which can jump ahead: how old payments and orders are, and the times
 * that WeChat writes. Signatures, certificates and logs keep to the real clock, or nobody would
 * take them. What is due by itself (callback retries, the end of refunds and sharings) is on real
 * timers: a jump doesn't hurry it.
 */
export interface Clock {
  now: () => number;
  advance: (ms: number) => void;
  /** Back to the real time. */
  reset: () => void;
}

export function createClock(realNow: () => number): Clock {
  let aheadMs = 0;
  return {
    now: () => realNow() + aheadMs,
    advance: (ms) => {
      aheadMs += ms;
    },
    reset: () => {
      aheadMs = 0;
    },
  };
}
