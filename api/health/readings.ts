// Shares a reading among its readers for a short time, and limits how long they wait for it.

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
