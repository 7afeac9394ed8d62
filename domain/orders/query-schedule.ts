/** After the configured gaps the last one doubles, up to this. */
export const MAX_QUERY_GAP_MS = 60 * 60_000;

/**
 * When WeChat is asked next about an order whose callback has not come. The gaps count from the prepay:
 * with `30s, 1m, 2m` the queries come 30 s, 1 min 30 s and 3 min 30 s after it; then the gap doubles.
 * @param prepaidAtMs when the user could first pay, Unix ms
 * @param nowMs Unix ms
 * @param gapsMs at least one gap, each > 0
 * @returns the first time of the schedule later than `nowMs`, Unix ms
 */
export function nextQueryAt(prepaidAtMs: number, nowMs: number, gapsMs: readonly number[]): number {
  let at = prepaidAtMs;
  let gap = MAX_QUERY_GAP_MS;
  for (let index = 0; ; index += 1) {
    gap = gapsMs[index] ?? Math.min(gap * 2, MAX_QUERY_GAP_MS);
    at += gap;
    if (at > nowMs) return at;
    // Beyond the configured gaps at the largest one, the rest of the way is one division.
    if (index >= gapsMs.length && gap === MAX_QUERY_GAP_MS) {
      return at + (Math.floor((nowMs - at) / MAX_QUERY_GAP_MS) + 1) * MAX_QUERY_GAP_MS;
    }
  }
}
