// Waits for a condition, with pauses that grow.
/** Short first pauses see a quick change quickly; longer ones later cost little CPU. */
const PAUSE_MS = { first: 25, factor: 1.3, longest: 250 };

/**
 * Waits until `look` returns a value that is not null or undefined.
 * @throws with `what` and the last value seen when it takes longer than `timeoutMs`
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let pauseMs = PAUSE_MS.first;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    const waitMs = pauseMs;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    pauseMs = Math.min(pauseMs * PAUSE_MS.factor, PAUSE_MS.longest);
  }
}
