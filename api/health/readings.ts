// Shares a reading among its readers for a short time, and limits how long they wait for it.
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Makes a function that reads at most once in `ageMs`; calls within that time share the reading,
 * also one that failed.
 */
export function shared<T>(
  ageMs: number,
  now: () => number,
  read: () => Promise<T>,
): () => Promise<T> {
  let last: { at: number; value: Promise<T> } | null = null;
  return () => {
    if (!last || now() - last.at > ageMs) last = { at: now(), value: read() };
    return last.value;
  };
}

/**
 * Resolves with the work's result; with `otherwise` when it fails or takes longer than
 * `deadlineMs`.
 */
export function orElse<T>(work: Promise<T>, deadlineMs: number, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(otherwise), deadlineMs);
    work.then(resolve, () => resolve(otherwise)).finally(() => clearTimeout(timer));
  });
}

/**
 * Makes a function whose callers share a reading that begins after their calls. At most one reading
 * begins in `gapMs`, however many callers there are, and no caller gets an old one.
 */
export function sharedNext<T>(gapMs: number, read: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  let begunAtMs = -Infinity;
  const begin = async () => {
    await last;
    const waitMs = begunAtMs + gapMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    next = null;
    begunAtMs = performance.now();
    const reading = read();
    last = reading.catch(() => 'its callers get the error');
    return reading;
  };
  return () => (next ??= begin());
}
