// WeChat's business clock, which a test can move forward.
/**
 * WeChat's business clock. It gives the age of payments and orders, and the times that WeChat
 * writes. Signatures, certificates and logs keep to the real clock, or nobody would accept them.
 * Callback repeats and the end of refunds and sharings run on real timers, so a jump does not
 * hurry them.
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
