// Writes times as WeChat does, in Beijing time.
const BEIJING_OFFSET_MS = 8 * 3_600_000;

/** RFC 3339 in Beijing time, to the second, as WeChat writes every time. */
export function beijingTime(atMs: number): string {
  return `${new Date(atMs + BEIJING_OFFSET_MS).toISOString().slice(0, 19)}+08:00`;
}

/** The Beijing day as `yyyymmdd`. */
export function beijingDay(atMs: number): string {
  return beijingTime(atMs).slice(0, 10).replaceAll('-', '');
}
