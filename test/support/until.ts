// Polls until a condition holds.
const POLL_MS = 25;

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
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
