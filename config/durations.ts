const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SHAPE = /^(\d{1,9})(ms|s|m|h|d)$/;

/** Milliseconds of a text like `500ms`, `30s`, `5m`, `1h`, `2d`; null for anything else. */
export function parseDurationMs(text: string): number | null {
  const match = SHAPE.exec(text.trim());
  if (!match) return null;
  const unit = match[2] as keyof typeof UNITS_MS;
  return Number(match[1]) * UNITS_MS[unit];
}
