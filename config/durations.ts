// Parses and writes durations like `30s`, `5m`, `2d`.
const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SHAPE = /^(\d{1,9})(ms|s|m|h|d)$/;

/** An order can be paid for a week at most, so most settings need no longer time. */
export const MAX_DURATION_MS = 7 * UNITS_MS.d;

/** Milliseconds of a text like `500ms`, `30s`, `5m`, `1h`, `2d`; null for any other text. */
export function parseDurationMs(text: string): number | null {
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const unit = match[2] as keyof typeof UNITS_MS;
  return Number(match[1]) * UNITS_MS[unit];
}

/** The shortest text that {@link parseDurationMs} reads back as `ms`, like `7d`. */
export function formatDuration(ms: number): string {
  const units = Object.entries(UNITS_MS).reverse();
  const [unit, size] = units.find(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}
