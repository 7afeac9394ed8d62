// Polls until a condition holds, or fails with its name.
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
/** A step that goes well takes a second or two; a slow machine gets ten times that. */
export const SOON_MS = 20_000;
/** When a worker or Temporal is back, all open work goes on within 60 s. */
export const RECOVERY_MS = 60_000;

/**
 * Calls `look` again and again until it returns a value.
 * @param look returns undefined while the condition doesn't hold yet
 * @throws an error with `condition` when the deadline passes
 */
export async function waitUntil<T>(
  condition: string,
  deadlineMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline)
      throw new Error(`not seen within ${deadlineMs / 1_000} s: ${condition}`);
    await delay(POLL_MS);
  }
}
