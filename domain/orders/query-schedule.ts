// The schedule by which WeChat is queried about something whose callback has not come.
// Sandbox: deterministic only.

/** After the configured gaps the last gap doubles, up to this. */
export const MAX_QUERY_GAP_MS = 60 * 60_000;

/**
 * When WeChat is queried next. The gaps count from a start: for a payment the prepay, for a refund,
 * a sharing or a take-back the moment when WeChat accepted it. With `30s, 1m, 2m` the queries come
 * 30 s, 1 min 30 s and 3 min 30 s after the start; then the gap doubles.
 * @param startMs Unix time in ms
 * @param nowMs Unix time in ms
 * @param gapsMs at least one gap, each > 0
 * @returns the first time of the schedule later than `nowMs`, Unix time in ms
 */
export function nextQueryAt(startMs: number, nowMs: number, gapsMs: readonly number[]): number {
  let atMs = startMs;
  let gapMs = MAX_QUERY_GAP_MS;
  for (let index = 0; ; index += 1) {
    gapMs = gapsMs[index] ?? Math.min(gapMs * 2, MAX_QUERY_GAP_MS);
    atMs += gapMs;
    if (atMs > nowMs) return atMs;
    // Once every further gap is the largest one, a division finds the time.
    if (index >= gapsMs.length && gapMs === MAX_QUERY_GAP_MS) {
      return atMs + (Math.floor((nowMs - atMs) / MAX_QUERY_GAP_MS) + 1) * MAX_QUERY_GAP_MS;
    }
  }
}
