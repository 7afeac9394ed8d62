/** A value read from the database and kept for a short time. */
export interface Cached<T> {
  /**
   * The value, read again when it is older than its time. While the database can't be asked, the last
   * one known; one reading at a time, however many ask.
   * @throws what the reading throws, when nothing was ever read
   */
  current(): Promise<T>;
  /** The next one who asks reads it again. */
  forget(): void;
}

export function createCached<T>(
  read: () => Promise<T>,
  { maxAgeMs, now }: { readonly maxAgeMs: number; readonly now: () => number },
): Cached<T> {
  let known: { readonly value: T } | null = null;
  let freshUntilMs = 0;
  let reading: Promise<T> | null = null;

  const readAgain = async (): Promise<T> => {
    try {
      known = { value: await read() };
      return known.value;
    } catch (error) {
      if (known === null) throw error;
      return known.value;
    } finally {
      // Also after a failure: a database that is away is not asked by every caller.
      freshUntilMs = now() + maxAgeMs;
      reading = null;
    }
  };

  return {
    current: () => {
      if (known !== null && now() < freshUntilMs) return Promise.resolve(known.value);
      return (reading ??= readAgain());
    },
    forget() {
      freshUntilMs = 0;
    },
  };
}
