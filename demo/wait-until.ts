import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;
/** What goes well takes a second or two; a slow machine gets ten times that. */
export const SOON_MS = 20_000;
/** When a worker or Temporal is back, everything open goes on within 60 s. */
export const RECOVERY_MS = 60_000;

/**
 * Looks again and again until there is something to see.
 * @param look undefined: not yet
 * @throws with `what` when it isn't there in time
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
