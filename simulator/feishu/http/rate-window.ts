// Counts calls in sliding windows, as Feishu's limits do.
/** A limit of so many calls in so much time. */
export interface RateLimit {
  readonly calls: number;
  readonly windowMs: number;
}

export interface RateWindow {
  /** Counts a call of `key` when no limit refuses it. @returns ms to wait, 0 when it was counted */
  count: (key: string, limits: readonly RateLimit[]) => number;
  clear: () => void;
}

export function createRateWindow(now: () => number): RateWindow {
  const calls = new Map<string, number[]>();
  return {
    count: (key, limits) => {
      const nowMs = now();
      const longestMs = Math.max(0, ...limits.map(({ windowMs }) => windowMs));
      const kept = (calls.get(key) ?? []).filter((atMs) => atMs > nowMs - longestMs);
      calls.set(key, kept);
      for (const { calls: allowed, windowMs } of limits) {
        const inWindow = kept.filter((atMs) => atMs > nowMs - windowMs);
        const oldest = inWindow[0];
        if (oldest !== undefined && inWindow.length >= allowed) return oldest + windowMs - nowMs;
      }
      kept.push(nowMs);
      return 0;
    },
    clear: () => calls.clear(),
  };
}
