// The steps of the statistics: how long they are, and where they begin.
// Sandbox: deterministic only.

/** Facts are rolled up in rows of this length. */
export const SLOT_MS = 300_000;

const HOUR_MS = 3_600_000;

/** The lengths of a step in ms; each is a multiple of {@link SLOT_MS}. */
export const STEPS = { '5m': SLOT_MS, '1h': HOUR_MS, '1d': 24 * HOUR_MS } as const;
export type Step = keyof typeof STEPS;
export const STEP_NAMES = Object.keys(STEPS) as [Step, ...Step[]];

/** A reply has at most so many steps. */
export const MAX_STEPS = 1_000;

/** Days begin at midnight in Beijing, as in WeChat's bills; the shorter steps fit into them. */
const BEIJING_MS = 8 * HOUR_MS;

/** The start of the step that a time lies in, in Unix ms. */
export function stepStart(timeMs: number, step: Step): number {
  const stepMs = STEPS[step];
  return Math.floor((timeMs + BEIJING_MS) / stepMs) * stepMs - BEIJING_MS;
}

/** The start of the first step that begins at a time or after it, in Unix ms. */
const stepFrom = (timeMs: number, step: Step): number => stepStart(timeMs - 1, step) + STEPS[step];

/** Whole steps from `fromMs` until `toMs`, both in Unix ms. */
export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * The whole steps that a request covers: by default those of the last 24 hours, the current one
 * among them.
 * @returns the reason when the request can't be served
 */
export function stepsOf(
  { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined },
  step: Step,
  nowMs: number,
): Range | 'empty' | 'too_many' {
  const endMs = to ?? nowMs;
  const toMs = stepFrom(endMs, step);
  const fromMs = from ?? toMs - 24 * HOUR_MS;
  if (fromMs >= endMs) return 'empty';
  if (from !== undefined && endMs - fromMs > MAX_STEPS * STEPS[step]) return 'too_many';
  return { fromMs: stepStart(fromMs, step), toMs };
}
