/** One reading for everybody who asks within `ageMs`. */
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

/** What comes within `deadlineMs`, else `otherwise`; also when it fails. */
export function orElse<T>(work: Promise<T>, deadlineMs: number, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(otherwise), deadlineMs);
    work.then(resolve, () => resolve(otherwise)).finally(() => clearTimeout(timer));
  });
}
